using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.AspNetCore.Transport;
using Sojourn.Document;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Known answers of express-session and of the packages beneath it.</summary>
public sealed class ExpressVectorTests
{
    private static readonly JsonObject Vectors = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "vectors.json")))!.AsObject();

    public static TheoryData<string> Sign() => Cases("sign");

    public static TheoryData<string> Serialize() => Cases("serialize");

    public static TheoryData<string> Parse() => Cases("parse");

    public static TheoryData<string> Hashes() => Cases("hashes");

    public static TheoryData<string> Records() => Cases("records");

    [Theory]
    [MemberData(nameof(Sign))]
    public void A_signature_is_cookie_signatures_and_the_value_encodeURIComponents(string json)
    {
        var vector = JsonNode.Parse(json)!;
        var key = vector["secretHex"] is { } hex ? Convert.FromHexString(hex.GetValue<string>()) : Encoding.UTF8.GetBytes(vector["secret"]!.GetValue<string>());
        var token = new SessionToken(Options.Create(new SojournOptions { SecretKeys = [key] }));
        var id = vector["sid"]!.GetValue<string>();
        var value = vector["cookieValue"]!.GetValue<string>();
        Assert.Equal(value, SessionToken.Encode(token.Write(id)));

        // An empty id is no id.
        Assert.Equal(id.Length > 0, token.TryRead(value, isEncoded: true, out var read, out var isFirst));
        Assert.Equal(id.Length > 0 ? id : null, read);
        Assert.Equal(id.Length > 0, isFirst);
    }

    [Theory]
    [MemberData(nameof(Serialize))]
    public void A_Set_Cookie_has_the_same_attributes_in_the_same_order(string json)
    {
        var vector = JsonNode.Parse(json)!;
        var cookie = Cookie(vector["options"]!.AsObject(), TimeProvider.System, isHttpOnly: false);
        var expected = vector["setCookie"]!.GetValue<string>();
        Assert.Equal(expected, Transport().Format("s%3Aapple.sig", cookie, isCleared: false));
    }

    [Theory]
    [MemberData(nameof(Parse))]
    public void A_Cookie_header_is_read_as_the_package_cookie_reads_it(string json)
    {
        var vector = JsonNode.Parse(json)!;
        var header = vector["header"]!.GetValue<string>();
        foreach (var (name, value) in vector["cookies"]!.AsObject())
        {
            if (name.Length > 0)
            {
                var rest = header.AsSpan();
                Assert.True(Transport(name).TakeCookie(ref rest, out var raw));
                Assert.Equal(value!.GetValue<string>(), Decoded(raw.ToString()));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Hashes))]
    public void What_counts_as_changed_is_what_its_hash_tells_apart(string json)
    {
        var document = Document(JsonNode.Parse(json)!["session"]!);
        foreach (var other in Vectors["hashes"]!.AsArray())
        {
            var isSame = other!["hashed"]!.GetValue<string>() == JsonNode.Parse(json)!["hashed"]!.GetValue<string>();
            Assert.Equal(isSame, document.HasSameEntries(Document(other["session"]!)));
        }
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void A_records_cookie_has_the_same_members_in_the_same_order(string json)
    {
        var vector = JsonNode.Parse(json)!;
        var expected = vector["json"]!.AsObject();
        var options = vector["cookieOptions"]?.AsObject() ?? [];
        var now = (expected["expires"], expected["originalMaxAge"]) is ({ } expires, { } maxAge)
            ? DateTimeOffset.Parse(expires.GetValue<string>(), CultureInfo.InvariantCulture).AddMilliseconds(-maxAge.GetValue<double>())
            : DateTimeOffset.UnixEpoch;
        Assert.Equal(expected.ToJsonString(), Encoding.UTF8.GetString(CookieJson.Write(Cookie(options, new FakeTimeProvider(now), isHttpOnly: true))));
    }

    private static TheoryData<string> Cases(string name) => [.. Vectors[name]!.AsArray().Select(vector => vector!.ToJsonString())];

    private static SessionDocument Document(JsonNode json) => SessionDocument.Parse(Encoding.UTF8.GetBytes(json.ToJsonString(SojournJson)))!;

    private static readonly JsonSerializerOptions SojournJson = new(JsonSerializerDefaults.Web)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>decodeURIComponent, which gives up on what is no UTF-8.</summary>
    private static string Decoded(string text)
    {
        var decoded = Uri.UnescapeDataString(text);
        return decoded.Contains('%', StringComparison.Ordinal) ? text : decoded;
    }

    private static CookieTransport Transport(string name = "connect.sid") => new(name, isExpress: true);

    private static SessionCookie Cookie(JsonObject from, TimeProvider time, bool isHttpOnly)
    {
        var options = new ExpressCookieOptions
        {
            Path = from["path"]?.GetValue<string>() ?? "/",
            Domain = from["domain"]?.GetValue<string>(),
            HttpOnly = from["httpOnly"]?.GetValue<bool>() ?? isHttpOnly,
            Secure = from["secure"]?.GetValue<bool>() switch { true => CookieSecure.Always, false => CookieSecure.Never, null => null },
            SameSite = from["sameSite"]?.GetValueKind() switch
            {
                null => ExpressSameSite.Unset,
                JsonValueKind.True => ExpressSameSite.True,
                JsonValueKind.False => ExpressSameSite.False,
                _ => Enum.Parse<ExpressSameSite>(from["sameSite"]!.GetValue<string>(), ignoreCase: true),
            },
            Partitioned = from["partitioned"]?.GetValue<bool>(),
            Priority = from["priority"] is { } priority
                ? Enum.Parse<SessionCookiePriority>(priority.GetValue<string>(), ignoreCase: true)
                : SessionCookiePriority.Unset,
        };
        if (from["expires"] is { } expires)
        {
            options.Expires = DateTimeOffset.Parse(expires.GetValue<string>(), CultureInfo.InvariantCulture);
        }
        else if (from["maxAge"] is { } maxAge)
        {
            options.MaxAge = TimeSpan.FromMilliseconds(maxAge.GetValue<double>());
        }

        return new ExpressRules(Options.Create(new ExpressSessionOptions { Cookie = options }), time).NewCookie(new DefaultHttpContext());
    }
}
