using System.Text.Json;

namespace Sojourn.Document;

/// <summary>Reads the members of one small JSON object of ours, whose JSON is known to be well formed.</summary>
internal ref struct MemberReader
{
    private readonly ReadOnlyMemory<byte> _utf8;
    private Utf8JsonReader _reader;

    public MemberReader(ReadOnlyMemory<byte> utf8)
    {
        _utf8 = utf8;
        _reader = new Utf8JsonReader(utf8.Span, new JsonReaderOptions { MaxDepth = SessionDocument.MaxDepth });
        IsObject = _reader.Read() && _reader.TokenType == JsonTokenType.StartObject;
    }

    public bool IsObject { get; }

    /// <summary>The name of the member, before its value was read.</summary>
    public string Name => _reader.GetString()!;

    public bool MoveNext() => IsObject && _reader.Read() && _reader.TokenType == JsonTokenType.PropertyName;

    public readonly bool Is(ReadOnlySpan<byte> name) => _reader.ValueTextEquals(name);

    public bool TryReadText(out string? text)
    {
        text = _reader.Read() && _reader.TokenType == JsonTokenType.String ? JsonText.TextOf(ref _reader) : null;
        return text is not null;
    }

    public bool TryReadTime(out DateTimeOffset? time)
    {
        time = _reader.Read() && _reader.TokenType == JsonTokenType.String ? JsonText.TimeOf(ref _reader) : null;
        return time is not null;
    }

    public bool TryReadSeconds(out TimeSpan? time)
    {
        time = _reader.Read() && _reader.TokenType == JsonTokenType.Number && _reader.TryGetInt64(out var seconds) && seconds is > 0 and < int.MaxValue
            ? TimeSpan.FromSeconds(seconds)
            : null;
        return time is not null;
    }

    public bool TryReadTexts(out string[] texts)
    {
        var list = new List<string>();
        texts = [];
        if (!_reader.Read() || _reader.TokenType != JsonTokenType.StartArray)
        {
            return false;
        }

        while (_reader.Read() && _reader.TokenType == JsonTokenType.String)
        {
            list.Add(_reader.GetString()!);
        }

        texts = [.. list];
        return _reader.TokenType == JsonTokenType.EndArray;
    }

    public bool TryReadObject(out ReadOnlyMemory<byte> json)
    {
        json = ReadRaw();
        return json.Span[0] == (byte)'{';
    }

    public ReadOnlyMemory<byte> ReadRaw()
    {
        _reader.Read();
        var start = (int)_reader.TokenStartIndex;
        _reader.Skip();
        return _utf8[start..(int)_reader.BytesConsumed];
    }
}
