using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Sojourn.Document;

/// <summary>A mutable object that the request holds: looked at again at commit, and saved if it was changed in place.</summary>
internal sealed class WatchedObject
{
    private readonly JsonTypeInfo _type;
    private ReadOnlyMemory<byte> _seen;
    private bool _isOurWriting;

    /// <param name="name">The entry.</param>
    /// <param name="instance">What was handed out, or set.</param>
    /// <param name="type">How it is read and written.</param>
    /// <param name="seen">The value as it is stored.</param>
    /// <param name="isOurWriting">Whether <paramref name="seen"/> is what this type writes, and not perhaps Node's writing of the same value.</param>
    public WatchedObject(string name, object instance, JsonTypeInfo type, ReadOnlyMemory<byte> seen, bool isOurWriting)
    {
        Name = name;
        Instance = instance;
        _type = type;
        _seen = seen;
        _isOurWriting = isOurWriting;
    }

    public string Name { get; }

    public object Instance { get; }

    public Type Type => _type.Type;

    /// <summary>The new value if the object was changed since it was last looked at, else <see langword="null"/>.</summary>
    public byte[]? FindChange()
    {
        byte[] now;
        try
        {
            now = JsonSerializer.SerializeToUtf8Bytes(Instance, _type);
            if (now.AsSpan().SequenceEqual(_seen.Span))
            {
                return null;
            }

            if (!_isOurWriting)
            {
                // Node may have written the members in another order: compare with what the stored value is in our writing.
                _seen = JsonSerializer.SerializeToUtf8Bytes(JsonSerializer.Deserialize(_seen.Span, _type), _type);
                _isOurWriting = true;
                if (now.AsSpan().SequenceEqual(_seen.Span))
                {
                    return null;
                }
            }
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or InvalidOperationException)
        {
            // InvalidOperationException: another thread changes the object's collection right now.
            throw new SessionEntryException(Name, Type, "cannot be written", (e as JsonException)?.Path, e);
        }

        return now;
    }

    /// <summary>The change is noted.</summary>
    public void Take(byte[] utf8) => (_seen, _isOurWriting) = (utf8, true);
}
