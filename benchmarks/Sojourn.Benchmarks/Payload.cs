using System.Globalization;
using System.Text;

namespace Sojourn.Benchmarks;

/// <summary>Documents of a given size: a cookie, a counter and texts.</summary>
internal static class Payload
{
    public static byte[] Document(int bytes)
    {
        var text = new StringBuilder("""{"cookie":{"originalMaxAge":null,"httpOnly":true,"path":"/","sameSite":"lax"},"$sojourn":{"created":"2026-01-02T03:04:05.678Z","absolute":"2126-01-03T03:04:05.678Z"},"counter":0""");
        for (var i = 0; text.Length + 20 < bytes; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $",\"entry{i}\":\"");
            text.Append(name).Append('x', Math.Min(82, bytes - text.Length - name.Length - 2)).Append('"');
        }

        return Encoding.ASCII.GetBytes(text.Append('}').ToString());
    }
}
