using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Sojourn.Administration;
using Sojourn.AspNetCore.Authentication;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests.Authentication;

/// <summary>ASP.NET Core's own OpenID Connect handler, a small provider, and the session that its users sign in to.</summary>
public sealed class OpenIdConnectTests : IAsyncLifetime
{
    private readonly MemorySessionStore _store = new();
    private Provider _provider = null!;
    private TestApp _app = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _provider = await Provider.StartAsync();
        _app = await TestApp.StartAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.UseSojourn();
                app.MapPost("/set", (Session session) => session.Set("cart", "tea"));
                app.MapGet("/me", async (HttpContext context, Session session) =>
                    $"{context.User.FindFirst("name")?.Value} ({session.Get<string>("cart")}) {await context.GetTokenAsync("access_token")}").RequireAuthorization();
                app.MapPost("/out", (HttpContext context) => context.SignOutAsync());
            },
            _store,
            services: services =>
            {
                services.AddDataProtection();
                services.AddAuthorization();
                services.AddAuthentication(options =>
                    {
                        options.DefaultScheme = SojournAuthenticationDefaults.AuthenticationScheme;
                        options.DefaultChallengeScheme = OpenIdConnectDefaults.AuthenticationScheme;
                    })
                    .AddSojourn()
                    .AddOpenIdConnect(options =>
                    {
                        options.Authority = _provider.Issuer;
                        options.RequireHttpsMetadata = false;
                        options.ClientId = "shop";
                        options.ClientSecret = "the client's secret";
                        options.ResponseType = OpenIdConnectResponseType.Code;
                        options.ResponseMode = OpenIdConnectResponseMode.Query;
                        options.MapInboundClaims = false;
                        options.SaveTokens = true;

                        // Plain http, as tests speak: browsers would want Secure with SameSite=None.
                        options.NonceCookie.SecurePolicy = options.CorrelationCookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
                    });
            },
            useSojourn: false);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task A_user_signs_in_at_the_provider_and_the_session_keeps_them_and_what_they_had()
    {
        using var client = _app.NewClient(followRedirects: true);
        await client.PostAsync("/set", null, Token);
        var before = CookieOf(client);
        Assert.Equal("Ada (tea) access-of-ada", await client.GetStringAsync("/me", Token));
        Assert.NotEqual(before, CookieOf(client));
        Assert.Equal(HttpStatusCode.Redirect, await StatusAsync(before));
        Assert.Equal("Ada (tea) access-of-ada", await client.GetStringAsync("/me", Token));
        Assert.Equal(1, _provider.SignIns);
        await client.PostAsync("/out", null, Token);
        Assert.Equal(0, await _store.CountAsync(Token));
    }

    [Fact]
    public async Task The_session_is_listed_for_its_user_and_ends_by_the_providers_sid()
    {
        using var client = _app.NewClient(followRedirects: true);
        await client.GetStringAsync("/me", Token);
        var sessions = _app.Services.GetRequiredService<ISessionAdministration>();
        Assert.Single(await sessions.ListAsync("user-ada", cancellationToken: Token));
        Assert.Equal(1, await sessions.EndAsync(new SessionFilter { Label = "sid:session-at-the-provider" }, cancellationToken: Token));
        Assert.Equal(HttpStatusCode.Redirect, await StatusAsync(CookieOf(client)));
    }

    private string CookieOf(HttpClient client) => TestApp.CookiesOf(client).GetCookies(_app.Address)["sid"]!.Value;

    private async Task<HttpStatusCode> StatusAsync(string cookie)
    {
        using var other = _app.NewBareClient();
        other.DefaultRequestHeaders.Add("Cookie", "sid=" + cookie);
        return (await other.GetAsync("/me", Token)).StatusCode;
    }

    /// <summary>As much of an OpenID provider as the authorization code flow needs. Whoever comes is Ada.</summary>
    private sealed class Provider : IAsyncDisposable
    {
        private readonly RSA _key = RSA.Create(2048);
        private readonly ConcurrentDictionary<string, string> _nonces = new(StringComparer.Ordinal);
        private TestApp _app = null!;
        private int _signIns;

        public string Issuer => _app.Address.AbsoluteUri.TrimEnd('/');

        public int SignIns => _signIns;

        public static async Task<Provider> StartAsync()
        {
            var provider = new Provider();
            provider._app = await TestApp.StartAsync(provider.Map, useSojourn: false);
            return provider;
        }

        public async ValueTask DisposeAsync()
        {
            await _app.DisposeAsync();
            _key.Dispose();
        }

        private void Map(WebApplication app)
        {
            app.MapGet("/.well-known/openid-configuration", () => Results.Json(new Dictionary<string, object>
            {
                ["issuer"] = Issuer,
                ["authorization_endpoint"] = Issuer + "/authorize",
                ["token_endpoint"] = Issuer + "/token",
                ["jwks_uri"] = Issuer + "/keys",
            }));
            app.MapGet("/keys", () =>
            {
                var key = _key.ExportParameters(includePrivateParameters: false);
                return Results.Json(
                    new
                    {
                        keys = new[]
                        {
                            new
                            {
                                kty = "RSA",
                                use = "sig",
                                kid = "1",
                                alg = "RS256",
                                n = Base64Url.EncodeToString(key.Modulus),
                                e = Base64Url.EncodeToString(key.Exponent),
                            },
                        },
                    });
            });
            app.MapGet("/authorize", (HttpContext context) =>
            {
                var query = context.Request.Query;
                var code = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
                _nonces[code] = query["nonce"]!;
                return Results.Redirect($"{query["redirect_uri"]}?code={code}&state={Uri.EscapeDataString(query["state"]!)}");
            });
            app.MapPost("/token", async (HttpContext context) =>
            {
                var form = await context.Request.ReadFormAsync();
                Interlocked.Increment(ref _signIns);
                return Results.Json(new Dictionary<string, object>
                {
                    ["id_token"] = IdToken(_nonces[form["code"]!]),
                    ["access_token"] = "access-of-ada",
                    ["token_type"] = "Bearer",
                    ["expires_in"] = 300,
                });
            });
        }

        private string IdToken(string nonce)
        {
            var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
            var signed = Part(new { alg = "RS256", typ = "JWT", kid = "1" }) + "." + Part(new
            {
                iss = Issuer,
                aud = "shop",
                sub = "user-ada",
                sid = "session-at-the-provider",
                name = "Ada",
                nonce,
                iat = now,
                exp = now + 300,
            });
            return signed + "." + Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

            static string Part(object json) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(json));
        }
    }
}
