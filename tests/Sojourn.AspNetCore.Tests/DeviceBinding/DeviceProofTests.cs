using System.Buffers.Text;
using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Sojourn.Events;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>Proofs that are none, at the registration and at the refresh.</summary>
public sealed class DeviceProofTests
{
    private const string Algorithm = "\"alg\":\"ES256\"";
    private const string Type = "\"typ\":\"dbsc+jwt\"";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What makes a proof of a challenge, by a key that is right as such; what is wrong with it; whether the proof is one at a registration.</summary>
    private static readonly Dictionary<string, (string Problem, Func<DeviceKey, string, bool, string> Make)> Wrong = new()
    {
        ["typ of an ordinary JWT"] =
            ("type", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("dbsc+jwt", "JWT", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["typ missing"] =
            ("type", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("," + Type, "", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["typ in capitals"] =
            ("type", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("dbsc+jwt", "DBSC+JWT", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["typ twice"] =
            ("malformed", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace(Type, Type + "," + Type, StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["none"] =
            ("algorithm", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("ES256", "none", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["none without a signature"] =
            ("malformed", (key, challenge, withKey) => Unsigned(key.Header(withKey).Replace("ES256", "none", StringComparison.Ordinal), challenge)),
        ["HS256"] =
            ("algorithm", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("ES256", "HS256", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["ES384"] =
            ("algorithm", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("ES256", "ES384", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["alg is a number"] =
            ("algorithm", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace("\"ES256\"", "256", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["alg missing"] =
            ("algorithm", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace(Algorithm + ",", "", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["crit"] =
            ("critical", (key, challenge, withKey) => key.Sign(key.Header(withKey).Replace(Type, Type + ",\"crit\":[\"exp\"]", StringComparison.Ordinal), DeviceKey.Payload(challenge))),
        ["DER signature"] = ("signature", (key, challenge, withKey) => key.Sign(key.Header(withKey), DeviceKey.Payload(challenge), der: true)),
        ["signature over something else"] = ("signature", (key, challenge, withKey) => Join(key.Proof(challenge, withKey), key.Proof("another", withKey))),
        ["signature cut short"] = ("signature", (key, challenge, withKey) => key.Proof(challenge, withKey)[..^6]),
        ["padding"] = ("malformed", (key, challenge, withKey) => key.Proof(challenge, withKey) + "=="),
        ["not in its one spelling"] = ("malformed", (key, challenge, withKey) => RespellLast(key.Proof(challenge, withKey))),
        ["four parts"] = ("malformed", (key, challenge, withKey) => key.Proof(challenge, withKey) + ".AA"),
        ["two parts"] = ("malformed", (key, challenge, withKey) => key.Proof(challenge, withKey)[..key.Proof(challenge, withKey).LastIndexOf('.')]),
        ["no JSON"] = ("malformed", (key, challenge, withKey) => key.Sign(key.Header(withKey), challenge)),
        ["payload is a list"] = ("malformed", (key, challenge, withKey) => key.Sign(key.Header(withKey), $"[\"{challenge}\"]")),
        ["payload has two challenges"] = ("malformed", (key, challenge, withKey) => key.Sign(key.Header(withKey), $$"""{"jti":"{{challenge}}","jti":"{{challenge}}"}""")),
        ["challenge missing"] = ("malformed", (key, _, withKey) => key.Sign(key.Header(withKey), "{}")),
        ["challenge is half of a surrogate pair"] = ("malformed", (key, _, withKey) => key.Sign(key.Header(withKey), """{"jti":"\ud800"}""")),
        ["header is no text"] = ("malformed", (key, challenge, withKey) => key.Sign("\u00ff", DeviceKey.Payload(challenge))),
        ["oversized"] = ("too-long", (key, challenge, withKey) => key.Sign(key.Header(withKey), $$"""{"jti":"{{challenge}}","more":"{{new string('x', 4096)}}"}""")),
        ["deep"] = ("malformed", (key, challenge, withKey) => key.Sign(key.Header(withKey), $$"""{"jti":"{{challenge}}","more":{{new string('[', 20)}}{{new string(']', 20)}}}""")),
    };

    private static readonly Dictionary<string, Func<DeviceKey, string, string>> WrongKeys = new()
    {
        ["no jwk"] = (key, challenge) => key.Proof(challenge, withKey: false),
        ["jwk of the other algorithm"] = (key, challenge) => WithKey(key, challenge, RsaJwk(2048)),
        ["private key"] = (key, challenge) => WithKey(key, challenge, key.Jwk().Replace("}", ",\"d\":\"AA\"}", StringComparison.Ordinal)),
        ["P-384"] = (key, challenge) => WithKey(key, challenge, key.Jwk().Replace("P-256", "P-384", StringComparison.Ordinal)),
        ["point off the curve"] = (key, challenge) => WithKey(key, challenge, $$"""{"kty":"EC","crv":"P-256","x":"{{Encode(new byte[32])}}","y":"{{Encode(new byte[32])}}"}"""),
        ["coordinate with a byte too many"] = (key, challenge) => WithKey(key, challenge, $$"""{"kty":"EC","crv":"P-256","x":"{{Encode(new byte[33])}}","y":"{{Encode(new byte[32])}}"}"""),
        ["jwk is a text"] = (key, challenge) => WithKey(key, challenge, "\"key\""),
        ["jwk is empty"] = (key, challenge) => WithKey(key, challenge, "{}"),
        ["RSA of 1024 bits"] = (_, challenge) => ByRsa(challenge, 1024),
        ["RSA of 8192 bits"] = (key, challenge) => WithKey(key, challenge, $$"""{"kty":"RSA","n":"{{Encode([0x80, .. new byte[1023]])}}","e":"AQAB"}""", "RS256"),
        ["RSA with the exponent 3"] = (key, challenge) => WithKey(key, challenge, RsaJwk(2048).Replace("AQAB", "Aw", StringComparison.Ordinal), "RS256"),
    };

    public static TheoryData<string> WrongProofs => [.. Wrong.Keys];

    public static TheoryData<string> ProofsOfWrongKeys => [.. WrongKeys.Keys];

    [Theory]
    [MemberData(nameof(WrongProofs))]
    public async Task N9_What_is_not_exactly_a_proof_registers_nothing_and_refreshes_nothing(string what)
    {
        var (problem, make) = Wrong[what];
        await using var app = await BindingApp.StartAsync(services: all => new SojournBuilder(all).AddEventHandler<HeardEvents>());
        var meters = app.Services.GetRequiredService<IMeterFactory>();
        using var registrations = new MetricCollector<long>(meters, "Sojourn", "sojourn.device_binding.registrations");
        using var refreshes = new MetricCollector<long>(meters, "Sojourn", "sojourn.device_binding.refreshes");
        using var unbound = app.NewBrowser(binds: false);
        await unbound.PostAsync("/in/ada");
        var (path, challenge) = unbound.Offer!.Value;
        using (var answer = await unbound.RegisterAsync(path, make(unbound.Key, challenge, true)))
        {
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
        }

        Assert.Equal(problem, Assert.Single(registrations.GetMeasurementSnapshot()).Tags["result"]);
        using var bound = await app.SignInAsync();
        var before = bound.Cookies["__Host-sidb"];
        using (var answer = await RefreshAsync(bound, make(bound.Key, bound.Binding!.Challenge!, false)))
        {
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
        }

        Assert.Equal(problem, Assert.Single(refreshes.GetMeasurementSnapshot()).Tags["result"]);
        Assert.Contains(
            app.Services.GetServices<ISessionEventHandler>().OfType<HeardEvents>().Single().All, each =>
                (each.Suspicion, each.Subject) == (SessionSuspicion.UnboundUse, "ada"));

        // Nothing was used up: a right proof of the same challenge is still one.
        app.Time.Advance(TimeSpan.FromMinutes(1));
        using var right = await RefreshAsync(bound, bound.Key.Proof(bound.Binding.Challenge!, withKey: false));
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
        Assert.NotEqual(before, bound.Cookies["__Host-sidb"]);
    }

    [Theory]
    [MemberData(nameof(ProofsOfWrongKeys))]
    public async Task A_key_that_is_none_or_too_weak_is_not_registered(string what)
    {
        await using var app = await BindingApp.StartAsync();
        using var registrations = new MetricCollector<long>(
            app.Services.GetRequiredService<IMeterFactory>(), "Sojourn", "sojourn.device_binding.registrations");
        using var browser = app.NewBrowser(binds: false);
        await browser.PostAsync("/in/ada");
        var (path, challenge) = browser.Offer!.Value;
        using var answer = await browser.RegisterAsync(path, WrongKeys[what](browser.Key, challenge));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("key", Assert.Single(registrations.GetMeasurementSnapshot()).Tags["result"]);
    }

    [Fact]
    public async Task A_refresh_by_another_key_another_algorithm_or_with_a_key_of_its_own_is_none()
    {
        await using var app = await BindingApp.StartAsync();
        using var browser = await app.SignInAsync();
        using var other = DeviceKey.New();
        using var rsa = DeviceKey.New("RS256");
        var challenge = browser.Binding!.Challenge!;
        foreach (var proof in (string[])[other.Proof(challenge, withKey: false), other.Proof(challenge, withKey: true), browser.Key.Proof(challenge, withKey: true), rsa.Proof(challenge, withKey: false)])
        {
            using var answer = await RefreshAsync(browser, proof);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
        }
    }

    [Fact]
    public async Task A_challenge_is_answered_once_and_in_its_time()
    {
        await using var app = await BindingApp.StartAsync(options: o => o.IdleTimeout = TimeSpan.FromHours(10));
        using var browser = await app.SignInAsync();
        var proof = browser.Key.Proof(browser.Binding!.Challenge!, withKey: false);
        using (var first = await RefreshAsync(browser, proof))
        {
            Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        }

        string told;
        using (var replayed = await RefreshAsync(browser, proof))
        {
            told = AssertChallenged(replayed);
        }

        app.Time.Advance(TimeSpan.FromMinutes(15));
        using var expired = await RefreshAsync(browser, browser.Key.Proof(told, withKey: false));
        Assert.NotEqual(told, AssertChallenged(expired));
    }

    [Fact]
    public async Task A_registrations_challenge_is_for_its_sign_in_and_its_time_and_binds_once()
    {
        await using var app = await BindingApp.StartAsync(o => o.ChallengeLifetime = TimeSpan.FromMinutes(1));
        using var ada = app.NewBrowser(binds: false);
        await ada.PostAsync("/in/ada");
        using var bob = app.NewBrowser(binds: false);
        await bob.PostAsync("/in/bob");
        var (path, adas) = ada.Offer!.Value;
        var bobs = bob.Offer!.Value.Challenge;
        foreach (var challenge in (string[])[bobs, "AAAA", adas[..^2] + "AA"])
        {
            using var answer = await ada.RegisterAsync(path, ada.Key.Proof(challenge, withKey: true));
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        }

        // Whoever signs in again begins anew.
        app.Time.Advance(TimeSpan.FromSeconds(1));
        await ada.PostAsync("/in/ada");
        var anew = ada.Offer!.Value.Challenge;
        using (var old = await ada.RegisterAsync(path, ada.Key.Proof(adas, withKey: true)))
        {
            Assert.Equal(HttpStatusCode.BadRequest, old.StatusCode);
        }

        using (var bound = await ada.RegisterAsync(path, ada.Key.Proof(anew, withKey: true)))
        {
            Assert.Equal(HttpStatusCode.OK, bound.StatusCode);
        }

        using var thief = DeviceKey.New();
        using (var again = await ada.RegisterAsync(path, thief.Proof(anew, withKey: true)))
        {
            Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        }

        app.Time.Advance(TimeSpan.FromMinutes(1));
        using var late = await bob.RegisterAsync(path, bob.Key.Proof(bobs, withKey: true));
        Assert.Equal(HttpStatusCode.BadRequest, late.StatusCode);
    }

    [Fact]
    public async Task Another_sessions_id_or_proof_refreshes_nothing()
    {
        await using var app = await BindingApp.StartAsync();
        using var ada = await app.SignInAsync("ada");
        using var bob = await app.SignInAsync("bob");
        foreach (var (id, proof, status) in ((string, string, HttpStatusCode)[])[
            (bob.Binding!.Id, bob.Key.Proof(bob.Binding.Challenge!, withKey: false), HttpStatusCode.Unauthorized),
            (bob.Binding.Id, ada.Key.Proof(ada.Binding!.Challenge!, withKey: false), HttpStatusCode.Unauthorized),
            (ada.Binding.Id, bob.Key.Proof(ada.Binding.Challenge!, withKey: false), HttpStatusCode.BadRequest),
            ("", ada.Key.Proof(ada.Binding.Challenge!, withKey: false), HttpStatusCode.BadRequest),
            ("no~id", ada.Key.Proof(ada.Binding.Challenge!, withKey: false), HttpStatusCode.BadRequest)])
        {
            using var answer = await ada.SendBareAsync(
                HttpMethod.Post, ada.Binding.RefreshPath, ("Sec-Fetch-Site", "same-origin"), ("Sec-Secure-Session-Id", id), ("Secure-Session-Response", proof));
            Assert.Equal(status, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Secure-Session-Challenge"));
        }

        // Quoted, as the specification has it.
        using var right = await ada.SendBareAsync(
            HttpMethod.Post, ada.Binding.RefreshPath,
            ("Sec-Fetch-Site", "same-origin"), ("Sec-Secure-Session-Id", $"\"{ada.Binding.Id}\""),
            ("Secure-Session-Response", $"\"{ada.Key.Proof(ada.Binding.Challenge!, withKey: false)}\""));
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
    }

    [Fact]
    public async Task Without_a_session_there_is_nothing_to_register_or_refresh()
    {
        await using var app = await BindingApp.StartAsync();
        using var bound = await app.SignInAsync();
        var binding = bound.Binding!;
        using var stranger = app.NewBrowser();
        await stranger.PostAsync("/count");
        using var forgetful = app.NewBrowser();
        foreach (var browser in (BindingBrowser[])[stranger, forgetful])
        {
            using var register = await browser.RegisterAsync("/session/binding/register", browser.Key.Proof("any", withKey: true));
            Assert.Equal(HttpStatusCode.Unauthorized, register.StatusCode);
            using var refresh = await browser.SendBareAsync(
                HttpMethod.Post, binding.RefreshPath, ("Sec-Fetch-Site", "same-origin"), ("Sec-Secure-Session-Id", binding.Id),
                ("Secure-Session-Response", bound.Key.Proof(binding.Challenge!, withKey: false)));
            Assert.Equal(HttpStatusCode.Unauthorized, refresh.StatusCode);
        }
    }

    private static Task<HttpResponseMessage> RefreshAsync(BindingBrowser browser, string proof) => browser.SendBareAsync(
        HttpMethod.Post, browser.Binding!.RefreshPath, ("Sec-Fetch-Site", "same-origin"), ("Sec-Secure-Session-Id", browser.Binding.Id),
        ("Secure-Session-Response", proof));

    private static string AssertChallenged(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Set-Cookie"));
        return Assert.Single(answer.Headers.GetValues("Secure-Session-Challenge")).Split('"')[1];
    }

    private static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);

    private static string Unsigned(string header, string challenge) =>
        Encode(Encoding.UTF8.GetBytes(header)) + "." + Encode(Encoding.UTF8.GetBytes(DeviceKey.Payload(challenge))) + ".";

    private static string Join(string signed, string signature) => signed[..signed.LastIndexOf('.')] + signature[signature.LastIndexOf('.')..];

    /// <summary>The last character of 64 bytes in base64url holds two bits that mean nothing.</summary>
    private static string RespellLast(string proof) => proof[..^1] + (char)(proof[^1] + 1);

    private static string WithKey(DeviceKey key, string challenge, string jwk, string algorithm = "ES256") =>
        key.Sign($$"""{"alg":"{{algorithm}}","typ":"dbsc+jwt","jwk":{{jwk}}}""", DeviceKey.Payload(challenge));

    private static string RsaJwk(int bits)
    {
        using var key = DeviceKey.New("RS256", bits);
        return key.Jwk();
    }

    private static string ByRsa(string challenge, int bits)
    {
        using var key = DeviceKey.New("RS256", bits);
        return key.Proof(challenge, withKey: true);
    }
}
