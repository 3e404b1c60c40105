using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;

namespace Sojourn.Browser.Tests;

/// <summary>The NestJS application and its port, started by the sample's one command, answer alike.</summary>
public sealed class NestPortTests : IAsyncLifetime
{
    private readonly int _nestPort = ShopServer.FreePort();
    private readonly int _sojournPort = ShopServer.FreePort();
    private Process? _process;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _process = Process.Start(new ProcessStartInfo(Path.Combine(ShopServer.Metadata("NestPort"), "run.sh"), ["--no-build"])
        {
            Environment =
            {
                ["NEST_PORT"] = _nestPort.ToString(CultureInfo.InvariantCulture),
                ["SOJOURN_PORT"] = _sojournPort.ToString(CultureInfo.InvariantCulture),
            },
        })!;
        using var client = new HttpClient();
        foreach (var port in (int[])[_nestPort, _sojournPort])
        {
            while (!await IsUpAsync(client, port))
            {
                Assert.False(_process.HasExited, "The sample did not start.");
                await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            }
        }
    }

    [Fact]
    public async Task Both_answer_alike_and_the_page_shows_both_sources()
    {
        using var nest = NewClient(_nestPort);
        using var sojourn = NewClient(_sojournPort);
        foreach (var (method, path, body) in new (string, string, object?)[]
        {
            ("GET", "/visits", null),
            ("GET", "/visits", null),
            ("GET", "/profile", null),
            ("POST", "/cart/apple", null),
            ("POST", "/cart/pear", null),
            ("GET", "/cart", null),
            ("POST", "/login", new { name = "Ada" }),
            ("GET", "/profile", null),
            ("GET", "/cart", null),
            ("POST", "/cart/plum", null),
            ("GET", "/visits", null),
            ("POST", "/logout", null),
            ("GET", "/profile", null),
            ("GET", "/visits", null),
        })
        {
            var (expected, actual) = (await SendAsync(nest, method, path, body), await SendAsync(sojourn, method, path, body));
            Assert.True(expected == actual, $"{method} {path}: NestJS {expected}, Sojourn {actual}");
        }

        var page = await sojourn.GetStringAsync("/", Token);
        Assert.Contains("@Session() session", page, StringComparison.Ordinal);
        Assert.Contains("session.Update&lt;int&gt;(&quot;visits&quot;", page, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            process.Dispose();
        }
    }

    private static HttpClient NewClient(int port) => new(new SocketsHttpHandler { CookieContainer = new CookieContainer() })
    {
        BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://localhost:{port}")),
    };

    /// <summary>Errors have bodies of their framework's own.</summary>
    private static async Task<(HttpStatusCode Status, string Body, bool SetsCookie)> SendAsync(HttpClient client, string method, string path, object? body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : JsonContent.Create(body) };
        using var response = await client.SendAsync(request, Token);
        return (response.StatusCode, response.IsSuccessStatusCode ? await response.Content.ReadAsStringAsync(Token) : "", response.Headers.Contains("Set-Cookie"));
    }

    private static async Task<bool> IsUpAsync(HttpClient client, int port)
    {
        try
        {
            using var response = await client.GetAsync(string.Create(CultureInfo.InvariantCulture, $"http://localhost:{port}/cart"), Token);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
