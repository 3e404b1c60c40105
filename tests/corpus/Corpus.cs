using System.Globalization;
using System.Text;
using CsCheck;

namespace Sojourn.Corpus;

/// <summary>The inputs of tests/corpus, and what becomes of them when somebody plays with them.</summary>
internal static class Corpus
{
    public static byte[][] Read(string file) => [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "corpus", file))
        .Where(line => line.Length > 0 && line[0] != '#')
        .Select(Decode)];

    /// <summary>Lines as they are, lines changed in one place or several, lines cut and put together, and plain noise.</summary>
    public static Gen<byte[]> Mutations(byte[][] corpus, params byte[] telling)
    {
        var line = Gen.Int[0, corpus.Length - 1].Select(index => corpus[index]);
        var some = Gen.OneOf(Gen.Byte, Gen.Int[0, telling.Length - 1].Select(index => telling[index]));
        var changed = Gen.Select(line, Gen.Select(Gen.Int[0, 4], Gen.Int[0, int.MaxValue], Gen.Int[1, 12], some).Array[0, 4]).Select((bytes, changes) =>
        {
            var result = new List<byte>(bytes);
            foreach (var (kind, place, length, value) in changes)
            {
                var at = result.Count == 0 ? 0 : place % result.Count;
                switch (kind)
                {
                    case 0 when result.Count > 0: result[at] = value; break;
                    case 1: result.Insert(at, value); break;
                    case 2: result.RemoveRange(at, Math.Min(length, result.Count - at)); break;
                    case 3: result.RemoveRange(at, result.Count - at); break;
                    case 4: result.InsertRange(at, result.Slice(at, Math.Min(length, result.Count - at))); break;
                }
            }

            return result.ToArray();
        });
        var spliced = Gen.Select(line, line, Gen.Double[0, 1], Gen.Double[0, 1]).Select(
            (a, b, at, from) => (byte[])[.. a[..(int)(at * a.Length)], .. b[(int)(from * b.Length)..]]);
        return Gen.Frequency((6, changed), (2, spliced), (1, some.Array[0, 60]));
    }

    private static byte[] Decode(string line)
    {
        var bytes = new List<byte>();
        for (var i = 0; i < line.Length;)
        {
            if (line[i] != '<')
            {
                var plain = line.IndexOf('<', i) is var next and >= 0 ? line[i..next] : line[i..];
                bytes.AddRange(Encoding.UTF8.GetBytes(plain));
                i += plain.Length;
                continue;
            }

            var end = line.IndexOf('>', i);
            var inside = line[(i + 1)..end];
            if (inside[0] == '*')
            {
                var space = inside.IndexOf(' ', StringComparison.Ordinal);
                bytes.AddRange(
                    Encoding.UTF8.GetBytes(
                        string.Concat(Enumerable.Repeat(inside[(space + 1)..], int.Parse(inside.AsSpan(1, space - 1), CultureInfo.InvariantCulture)))));
            }
            else
            {
                bytes.AddRange(Convert.FromHexString(inside.Replace(" ", "", StringComparison.Ordinal)));
            }

            i = end + 1;
        }

        return [.. bytes];
    }
}
