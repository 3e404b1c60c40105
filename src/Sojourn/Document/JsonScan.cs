using System.Buffers;

namespace Sojourn.Document;

/// <summary>
/// Finds where values end in JSON that is known to be well formed, without looking at what they are. In other JSON it finds some place within it.
/// </summary>
internal static class JsonScan
{
    private static readonly SearchValues<byte> Structure = SearchValues.Create("\"{}[]"u8);
    private static readonly SearchValues<byte> AfterScalar = SearchValues.Create(",}] \t\r\n"u8);

    /// <summary>Where the value ends that begins at a place: the place after it.</summary>
    public static int EndOfValue(ReadOnlySpan<byte> utf8, int start)
    {
        if (start >= utf8.Length)
        {
            return utf8.Length;
        }

        switch (utf8[start])
        {
            case (byte)'"':
                return EndOfText(utf8, start);
            case (byte)'{' or (byte)'[':
                return EndOfNested(utf8, start);
            default:
                var length = utf8[start..].IndexOfAny(AfterScalar);
                return length < 0 ? utf8.Length : start + length;
        }
    }

    /// <summary>Where the text ends whose opening quote is at a place: the place after its closing quote.</summary>
    private static int EndOfText(ReadOnlySpan<byte> utf8, int start)
    {
        for (var at = start + 1; at < utf8.Length;)
        {
            var length = utf8[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (length < 0)
            {
                break;
            }

            at += length;
            if (utf8[at] == (byte)'"')
            {
                return at + 1;
            }

            at += 2;
        }

        return utf8.Length;
    }

    private static int EndOfNested(ReadOnlySpan<byte> utf8, int start)
    {
        var depth = 0;
        for (var at = start; at < utf8.Length;)
        {
            var length = utf8[at..].IndexOfAny(Structure);
            if (length < 0)
            {
                break;
            }

            at += length;
            switch (utf8[at])
            {
                case (byte)'"':
                    at = EndOfText(utf8, at);
                    break;
                case (byte)'{' or (byte)'[':
                    depth++;
                    at++;
                    break;
                default:
                    at++;
                    if (--depth == 0)
                    {
                        return at;
                    }

                    break;
            }
        }

        return utf8.Length;
    }
}
