using System.Buffers.Text;
using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Events;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.Authentication;

/// <summary>OpenID Connect Back-Channel Logout 1.0, with a provider of the test's own.</summary>
public sealed class BackChannelLogoutTests : IDisposable
{
    private const string Event = "http://schemas.openid.net/event/backchannel-logout";

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(60));
    private readonly FaultInjectingStore _store = new(new MemorySessionStore());
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly RSA _weak = RSA.Create(1024);
    private readonly RSA _stranger = RSA.Create(2048);
    private readonly ECDsa _ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _rsa.Dispose();
        _weak.Dispose();
        _stranger.Dispose();
        _ec.Dispose();
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    [InlineData("ES256")]
    public async Task A3_A18_a_logout_token_ends_the_providers_session_and_no_other(string algorithm)
    {
        await using var app = await StartAsync();
        using var first = await SignInAsync(app, "ada", "s1");
        using var second = await SignInAsync(app, "ada", "s2");
        using var answer = await PostAsync(app, Sign(Claims(sid: "s1"), algorithm));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(answer.Headers.CacheControl!.NoStore);
        Assert.Equal("nobody", await first.GetStringAsync("/who", Token));
        Assert.Equal("ada", await second.GetStringAsync("/who", Token));
        Assert.Equal(SessionEndReason.ByProvider, _reasons.Single());
    }

    [Fact]
    public async Task A3_a_token_without_sid_ends_all_sessions_of_the_subject()
    {
        await using var app = await StartAsync();
        using var first = await SignInAsync(app, "ada", "s1");
        using var second = await SignInAsync(app, "ada", "s2");
        using var bob = await SignInAsync(app, "bob", "s3");
        using var answer = await PostAsync(app, Sign(Claims(sub: "ada")));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("nobody", await first.GetStringAsync("/who", Token));
        Assert.Equal("nobody", await second.GetStringAsync("/who", Token));
        Assert.Equal("bob", await bob.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A_token_of_nobodys_session_is_answered_200()
    {
        await using var app = await StartAsync();
        using var answer = await PostAsync(app, Sign(Claims(sub: "ada", sid: "none")));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_token_counts_once()
    {
        await using var app = await StartAsync();
        var token = Sign(Claims(sub: "ada"));
        using var first = await PostAsync(app, token);
        using var user = await SignInAsync(app, "ada", "s2");
        using var replay = await PostAsync(app, token);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        await RefusedAsync(replay);
        Assert.Equal("ada", await user.GetStringAsync("/who", Token));
    }

    public static TheoryData<string> BadTokens() => new(Bad.Keys);

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task A_token_that_is_not_to_be_believed_ends_nothing(string what)
    {
        await using var app = await StartAsync();
        using var user = await SignInAsync(app, "ada", "s1");
        using var answer = await PostAsync(app, Bad[what](this));
        await RefusedAsync(answer);
        Assert.Equal("ada", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task What_is_no_form_with_one_token_is_refused()
    {
        await using var app = await StartAsync();
        using var client = app.NewClient();
        var token = Sign(Claims(sid: "s1"));
        using var json = new StringContent($$"""{"logout_token":"{{token}}"}""", Encoding.UTF8, "application/json");
        using var empty = new FormUrlEncodedContent([]);
        using var twice = new FormUrlEncodedContent([new("logout_token", token), new("logout_token", token)]);
        using var large = new FormUrlEncodedContent([new("logout_token", token), new("more", new string('x', 100_000))]);
        foreach (var content in (HttpContent[])[json, empty, twice, large])
        {
            using var answer = await client.PostAsync("/signout-oidc-backchannel", content, Token);
            await RefusedAsync(answer);
        }

        using var user = await SignInAsync(app, "ada", "s1");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await user.GetAsync("/signout-oidc-backchannel?logout_token=" + token, Token)).StatusCode);
        Assert.Equal("ada", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task A40_a_store_that_fails_is_503_and_the_provider_may_try_again()
    {
        await using var app = await StartAsync();
        using var user = await SignInAsync(app, "ada", "s1");
        var token = Sign(Claims(sid: "s1"));
        _store.On(StoreVerb.Delete).Fail();
        using var failed = await PostAsync(app, token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.StatusCode);
        Assert.True(failed.Headers.CacheControl!.NoStore);
        _store.Clear();
        using var again = await PostAsync(app, token);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal("nobody", await user.GetStringAsync("/who", Token));
    }

    [Fact]
    public async Task Without_saying_whose_tokens_are_believed_the_application_does_not_start() =>
        await Assert.ThrowsAsync<ArgumentException>(() => TestApp.StartAsync(app => app.MapSojournBackChannelLogout("/logout", o => o.Issuer = "https://op")));

    private static readonly Dictionary<string, Func<BackChannelLogoutTests, string>> Bad = new()
    {
        ["not a token"] = static _ => "token",
        ["five parts"] = static test => test.Sign(Claims(sid: "s1")) + ".x.y",
        ["claims changed"] = static test =>
        {
            var parts = test.Sign(Claims(sid: "other")).Split('.');
            return $"{parts[0]}.{test.Sign(Claims(sid: "s1")).Split('.')[1]}.{parts[2]}";
        },
        ["no signature"] = static test => test.Sign(Claims(sid: "s1"))[..^342],
        ["alg none"] = static test => $"{Encode("""{"alg":"none","typ":"logout+jwt"}""")}.{test.Sign(Claims(sid: "s1")).Split('.')[1]}.",
        ["the public key as an HMAC secret"] = static test =>
        {
            var signed = $"{Encode("""{"alg":"HS256","typ":"logout+jwt"}""")}.{test.Sign(Claims(sid: "s1")).Split('.')[1]}";
            return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(test._rsa.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(signed)))}";
        },
        ["a stranger's key"] = static test => test.Sign(Claims(sid: "s1"), key: test._stranger),
        ["a short key"] = static test => test.Sign(Claims(sid: "s1"), key: test._weak, header: h => h["kid"] = "weak"),
        ["another key's id"] = static test => test.Sign(Claims(sid: "s1"), header: h => h["kid"] = "ec"),
        ["another algorithm than the key's"] = static test => test.Sign(Claims(sid: "s1"), header: h => h["alg"] = "PS256"),
        ["a critical header"] = static test => test.Sign(Claims(sid: "s1"), header: h => h["crit"] = new JsonArray("b64")),
        ["an ID token's type"] = static test => test.Sign(Claims(sid: "s1"), header: h => h["typ"] = "JWT"),
        ["another issuer"] = static test => test.Sign(Claims(sid: "s1", change: c => c["iss"] = "https://evil.example")),
        ["another audience"] = static test => test.Sign(Claims(sid: "s1", change: c => c["aud"] = new JsonArray("other", "others"))),
        ["no audience"] = static test => test.Sign(Claims(sid: "s1", change: c => c.Remove("aud"))),
        ["too old"] = static test => test.Sign(Claims(sid: "s1", change: c => c["iat"] = c["iat"]!.GetValue<long>() - 361)),
        ["from the future"] = static test => test.Sign(Claims(sid: "s1", change: c => c["iat"] = c["iat"]!.GetValue<long>() + 61)),
        ["expired"] = static test => test.Sign(Claims(sid: "s1", change: c =>
        {
            c["iat"] = c["iat"]!.GetValue<long>() - 200;
            c["exp"] = c["iat"]!.GetValue<long>() + 100;
        })),
        ["no expiry"] = static test => test.Sign(Claims(sid: "s1", change: c => c.Remove("exp"))),
        ["an expiry that is no number"] = static test => test.Sign(Claims(sid: "s1", change: c => c["exp"] = "9999999999")),
        ["no events"] = static test => test.Sign(Claims(sid: "s1", change: c => c.Remove("events"))),
        ["another event"] = static test => test.Sign(Claims(sid: "s1", change: c => c["events"] = new JsonObject { ["other"] = new JsonObject() })),
        ["an event that is no object"] = static test => test.Sign(Claims(sid: "s1", change: c => c["events"] = new JsonObject { [Event] = true })),
        ["a nonce"] = static test => test.Sign(Claims(sid: "s1", change: c => c["nonce"] = "n")),
        ["no jti"] = static test => test.Sign(Claims(sid: "s1", change: c => c.Remove("jti"))),
        ["neither sub nor sid"] = static test => test.Sign(Claims()),
        ["a sid that is no text"] = static test => test.Sign(Claims(change: c => c["sid"] = 1)),
        ["a claim twice"] = static test =>
            test.SignText(Claims(sid: "s1").ToJsonString().Replace("{\"iss\"", "{\"sid\":\"s0\",\"iss\"", StringComparison.Ordinal)),
    };

    private static async Task RefusedAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.True(answer.Headers.CacheControl!.NoStore);
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Token));
        Assert.Equal("invalid_request", problem.RootElement.GetProperty("error").GetString());
    }

    private static JsonObject Claims(string? sub = null, string? sid = null, Action<JsonObject>? change = null)
    {
        var now = DateTimeOffset.UnixEpoch.AddYears(60).ToUnixTimeSeconds();
        var claims = new JsonObject
        {
            ["iss"] = "https://op.example",
            ["aud"] = "shop",
            ["iat"] = now,
            ["exp"] = now + 120,
            ["jti"] = Convert.ToHexString(RandomNumberGenerator.GetBytes(8)),
            ["events"] = new JsonObject { [Event] = new JsonObject() },
        };
        if (sub is not null)
        {
            claims["sub"] = sub;
        }

        if (sid is not null)
        {
            claims["sid"] = sid;
        }

        change?.Invoke(claims);
        return claims;
    }

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private string Sign(JsonObject claims, string algorithm = "RS256", RSA? key = null, Action<JsonObject>? header = null) =>
        SignText(claims.ToJsonString(), algorithm, key, header);

    private string SignText(string claims, string algorithm = "RS256", RSA? key = null, Action<JsonObject>? header = null)
    {
        var head = new JsonObject { ["alg"] = algorithm, ["typ"] = "logout+jwt", ["kid"] = algorithm[0] == 'E' ? "ec" : "rsa" };
        header?.Invoke(head);
        var text = $"{Encode(head.ToJsonString())}.{Encode(claims)}";
        var bytes = Encoding.ASCII.GetBytes(text);
        var hash = algorithm.EndsWith("512", StringComparison.Ordinal) ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256;
        var signature = algorithm[0] switch
        {
            'E' => _ec.SignData(bytes, hash),
            'P' => _rsa.SignData(bytes, hash, RSASignaturePadding.Pss),
            _ => (key ?? _rsa).SignData(bytes, hash, RSASignaturePadding.Pkcs1),
        };
        return $"{text}.{Base64Url.EncodeToString(signature)}";
    }

    private string KeySet()
    {
        var (rsa, weak, ec) = (_rsa.ExportParameters(false), _weak.ExportParameters(false), _ec.ExportParameters(false));
        return $$"""
            {"keys":[
              {"kty":"oct","kid":"rsa","k":"AAAA"},
              {"kty":"EC","kid":"ec","use":"sig","crv":"P-256","x":"{{Base64Url.EncodeToString(ec.Q.X)}}","y":"{{Base64Url.EncodeToString(ec.Q.Y)}}"},
              {"kty":"RSA","kid":"weak","n":"{{Base64Url.EncodeToString(weak.Modulus)}}","e":"{{Base64Url.EncodeToString(weak.Exponent)}}"},
              {"kty":"RSA","kid":"rsa","use":"sig","n":"{{Base64Url.EncodeToString(rsa.Modulus)}}","e":"{{Base64Url.EncodeToString(rsa.Exponent)}}"}]}
            """;
    }

    private readonly List<SessionEndReason> _reasons = [];

    private static async Task<HttpClient> SignInAsync(TestApp app, string name, string sid)
    {
        var client = app.NewClient();
        using var answer = await client.PostAsync($"/in/{name}/{sid}", null, Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return client;
    }

    private static async Task<HttpResponseMessage> PostAsync(TestApp app, string token)
    {
        using var provider = app.NewBareClient();
        using var form = new FormUrlEncodedContent([new("logout_token", token)]);
        return await provider.PostAsync("/signout-oidc-backchannel", form, Token);
    }

    private Task<TestApp> StartAsync() => TestApp.StartAsync(
        app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            app.UseSojourn();
            app.MapSojournBackChannelLogout("/signout-oidc-backchannel", o =>
            {
                o.Issuer = "https://op.example";
                o.ClientId = "shop";
                o.JsonWebKeys = _ => new(KeySet());
            });
            app.MapPost("/in/{name}/{sid}", (HttpContext context, string name, string sid) => context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity(
                [new Claim("sub", name), new Claim("sid", sid)], "oidc", "sub", "role")))).AllowAnonymous();
            app.MapGet("/who", (ClaimsPrincipal user) => user.Identity!.Name ?? "nobody").AllowAnonymous();
        },
        _store,
        services: services =>
        {
            services.AddAuthorizationBuilder().SetFallbackPolicy(
                new Microsoft.AspNetCore.Authorization.AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
            services.AddAuthentication("Sojourn").AddSojourn();
            services.AddSingleton<ISessionEventHandler>(new Reasons(_reasons));
        },
        time: _time,
        useSojourn: false);

    private sealed class Reasons(List<SessionEndReason> reasons) : ISessionEventHandler
    {
        public ValueTask HandleAsync(SessionEvent sessionEvent, CancellationToken cancellationToken)
        {
            if (sessionEvent.Reason is { } reason)
            {
                reasons.Add(reason);
            }

            return default;
        }
    }
}
