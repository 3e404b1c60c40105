using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Document;

namespace Sojourn.Tests.Document;

public sealed class SessionDocumentTests
{
    private static readonly Gen<string> Names = Gen.OneOf(
        Gen.String[Gen.Char.AlphaNumeric, 1, 12], OneOf("č", "a\"b", "a\\b", "tab\t", "emoji 🐎", "toString", "$hidden", "__proto__", ""));

    private static readonly Gen<JsonNode> Values = Gen.OneOf<JsonNode>(
        Gen.Int.Select(number => (JsonNode)JsonValue.Create(number)),
        Gen.String.Select(text => (JsonNode)JsonValue.Create(text)),
        Gen.Int.Array[0, 4].Select(numbers => (JsonNode)new JsonArray([.. numbers.Select(number => (JsonNode)number)])),
        Gen.Bool.Select(flag => (JsonNode)new JsonObject { ["flag"] = flag, ["deep"] = new JsonObject { ["{"] = "}" } }));

    private static readonly Gen<(string Name, string Value)[]> Members = Gen.Select(Names, Values).Array[0, 12]
        .Select(members => members.DistinctBy(member => member.Item1).Select(member => (member.Item1, member.Item2.ToJsonString())).ToArray());

    [Fact]
    public void What_is_not_touched_is_written_as_it_was_byte_for_byte() => Members.Sample(members =>
    {
        var stored = Json([("cookie", """{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"""), ("$sojourn", """{"handle":"h"}"""), .. members]);
        Assert.Equal(stored, Text(SessionDocument.Parse(Bytes(stored))!));
        Assert.Equal(stored, Text(SessionDocument.Parse(Bytes(stored), isWellFormed: true)!));
    });

    [Fact]
    public void Entries_behave_as_the_properties_of_an_object_do() =>
        Gen.Select(Members, Gen.Select(Gen.Bool, OneOf("a", "b", "č", "a\"b"), Gen.Int).Array[0, 20], Gen.Bool).Sample((members, changes, isWellFormed) =>
        {
            var document = SessionDocument.Parse(Bytes(Json(members)), isWellFormed)!;
            var model = JsonNode.Parse(Json(members))!.AsObject();
            foreach (var (isSet, name, number) in changes)
            {
                if (isSet)
                {
                    document.Set(name, Bytes(number.ToString()));
                    model[name] = number;
                }
                else
                {
                    Assert.Equal(model.Remove(name), document.Remove(name));
                }

                Assert.Equal(model.ContainsKey(name), document.TryGet(name, out _));
            }

            Assert.True(JsonNode.DeepEquals(model, JsonNode.Parse(Text(document))));
            Assert.Equal(document.Length, document.ToUtf8().Length);
        });

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"a":1""")]
    [InlineData("""{"a":1}x""")]
    [InlineData("""{"a":1}{"b":2}""")]
    [InlineData("""{"a":tru}""")]
    [InlineData("\uFEFF{}")]
    [InlineData("""{"\uD800":1}""")]
    public void What_is_no_JSON_object_is_no_document(string stored) => Assert.Null(SessionDocument.Parse(Bytes(stored)));

    [Fact]
    public void Any_bytes_are_a_document_or_none_and_never_an_exception() =>
        Gen.Byte.Array[0, 200].Sample(bytes => _ = SessionDocument.Parse(bytes));

    [Fact]
    public void A_cut_document_is_never_half_a_session()
    {
        var stored = Bytes("""{"cookie":{"path":"/"},"user":"ada","cart":{"items":[1,2,3]}}""");
        for (var length = 0; length < stored.Length; length++)
        {
            Assert.Null(SessionDocument.Parse(stored.AsMemory(0, length)));
        }
    }

    [Fact]
    public void Of_names_that_stand_often_the_last_counts_whatever_was_looked_for_before()
    {
        var names = OneOf("a", "b", "cc");
        Gen.Select(Gen.Select(names, Gen.Int[0, 9]).Array[0, 8], Gen.Select(Gen.Int[0, 4], names).Array[1, 12]).Sample((members, steps) =>
        {
            var json = "{" + string.Join(',', members.Select(member => $"\"{member.Item1}\":{member.Item2}")) + "}";
            var document = SessionDocument.Parse(Bytes(json))!;
            var last = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var (name, number) in members) last[name] = $"{number}";
            foreach (var (step, name) in steps)
            {
                switch (step)
                {
                    case 0: document.Set(name, Bytes("10")); last[name] = "10"; break;
                    case 1: document.Remove(name); last.Remove(name); break;
                    case 2: document.RemoveAll(new(StringComparer.Ordinal) { name }); last.Remove(name); break;
                    case 3:
                        var taken = new SessionDocument();
                        taken.TakeEntries(document);
                        document.TakeEntries(taken);
                        break;
                    default: document = SessionDocument.Parse(document.ToUtf8(), isWellFormed: true)!; break;
                }

                foreach (var other in new[] { name, "a", "b", "cc", "a" })
                {
                    Assert.Equal(last.GetValueOrDefault(other), document.TryGet(other, out var value) ? Encoding.UTF8.GetString(value.Span) : null);
                }
            }
        });
    }

    [Fact]
    public void Of_a_name_that_stands_twice_the_last_counts_as_in_JavaScript()
    {
        var document = SessionDocument.Parse(Bytes("""{"a":1,"b":2,"a":3}"""))!;
        Assert.True(document.TryGet("a", out var value));
        Assert.Equal("3", Encoding.UTF8.GetString(value.Span));
        Assert.Equal(["a", "b"], document.Names());
        Assert.True(document.Remove("a"));
        Assert.Equal("""{"b":2}""", Text(document));
    }

    [Fact]
    public void Names_that_nobody_may_use_are_kept_and_never_shown()
    {
        const string Stored = """{"cookie":{"path":"/"},"__proto__":{"x":1},"$later":2,"":3,"user":"ada"}""";
        var document = SessionDocument.Parse(Bytes(Stored))!;
        Assert.Equal(["user"], document.Names());
        Assert.False(document.TryGet("__proto__", out _));
        Assert.Equal(Stored, Text(document));
    }

    [Fact]
    public void The_cookie_is_written_first_wherever_it_was_found() =>
        Assert.Equal("""{"cookie":{},"a":1}""", Text(SessionDocument.Parse(Bytes("""{"a":1,"cookie":{}}"""))!));

    [Fact]
    public void Metadata_of_a_later_version_are_kept()
    {
        var metadata = SessionMetadata.Parse(Bytes("""{"handle":"h","created":"2030-01-02T03:04:05.678Z","later":{"os":"x"},"subject":"42"}"""))!;
        Assert.Equal("42", metadata.Subject);
        Assert.Equal(
            """{"handle":"h","created":"2030-01-02T03:04:05.678Z","subject":"43","later":{"os":"x"}}""",
            Encoding.UTF8.GetString((metadata with { Subject = "43" }).ToUtf8()));
    }

    [Fact]
    public void The_device_that_a_session_is_bound_to_is_written_as_it_was_read()
    {
        const string Stored = """{"handle":"h","subject":"42","binding":{"id":"i","alg":"ES256","key":"k","at":"2030-01-02T03:04:05.678Z","challenge":"c","until":"2030-01-02T03:19:05.678Z"}}""";
        var metadata = SessionMetadata.Parse(Bytes(Stored))!;
        Assert.Equal(("i", "ES256", "k", "c"), (metadata.Binding!.Id, metadata.Binding.Algorithm, metadata.Binding.PublicKey, metadata.Binding.Challenge));
        Assert.Equal(TimeSpan.FromMinutes(15), metadata.Binding.ChallengeExpiresAt - metadata.Binding.BoundAt);
        Assert.Equal(Stored, Encoding.UTF8.GetString(metadata.ToUtf8()));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""{"handle":1}""")]
    [InlineData("""{"absolute":"tomorrow"}""")]
    [InlineData("""{"binding":null}""")]
    [InlineData("""{"binding":{}}""")]
    [InlineData("""{"binding":{"id":"i","alg":"ES256","key":"k","at":"2030-01-02T03:04:05.678Z","challenge":"c"}}""")]
    [InlineData("""{"binding":{"id":"i","alg":"ES256","key":"k","at":"2030-01-02T03:04:05.678Z","challenge":"c","until":"2030-01-02T03:04:05.678Z","later":1}}""")]
    public void Metadata_of_an_unknown_format_are_not_guessed_at(string stored) => Assert.Null(SessionMetadata.Parse(Bytes(stored)));

    [Fact]
    public void The_cookie_member_is_the_one_that_express_session_writes()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.Parse("2030-01-02T03:04:05.678Z", System.Globalization.CultureInfo.InvariantCulture));
        var cookie = new SessionCookie
        {
            Time = clock,
            MaxAge = TimeSpan.FromMinutes(1),
            Secure = true,
            SameSite = SessionSameSite.Lax,
            Partitioned = true,
            Priority = SessionCookiePriority.High,
            Domain = "example.org",
        };
        var written = CookieJson.Write(cookie);
        Assert.Equal(
            """{"originalMaxAge":60000,"partitioned":true,"priority":"high","expires":"2030-01-02T03:05:05.678Z","secure":true,"httpOnly":true,"domain":"example.org","path":"/","sameSite":"lax"}""",
            Encoding.UTF8.GetString(written));
        Assert.Equal(cookie, CookieJson.Parse(written, clock));
    }

    [Fact]
    public void An_envelope_gives_back_what_was_put_into_it() => Values.Sample(value =>
    {
        var json = value.ToJsonString();
        var flash = Envelope.Open(Envelope.Flash(Bytes(json)));
        Assert.True(flash.IsFlash);
        Assert.Equal(json, Encoding.UTF8.GetString(flash.Value.Span));
        var until = DateTimeOffset.UnixEpoch.AddMilliseconds(1234567890123);
        var kept = Envelope.Open(Envelope.Kept(Bytes(json), until));
        Assert.Equal(until, kept.Until);
        Assert.Equal(json, Encoding.UTF8.GetString(kept.Value.Span));
        var plain = Envelope.Open(Bytes(json));
        Assert.False(plain.IsFlash);
        Assert.Equal(json, Encoding.UTF8.GetString(plain.Value.Span));
    });

    private static Gen<string> OneOf(params string[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(SessionDocument document) => Encoding.UTF8.GetString(document.ToUtf8());

    private static string Json((string Name, string Value)[] members) =>
        "{" + string.Join(',', members.Select(member => JsonSerializer.Serialize(member.Name) + ":" + member.Value)) + "}";
}
