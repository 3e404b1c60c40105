using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>
/// The part of a browser that binds sessions: a jar, a key, and the protocol's state machine. It registers where it is told to, holds a request back whose
/// bound cookie is missing, refreshes once for all that wait, and keeps or drops its binding by the status of the answer as Chromium does.
/// </summary>
internal sealed partial class BindingBrowser(Uri address, TimeProvider time, string algorithm = "ES256") : IDisposable
{
    private const int MostChallenges = 5;
    private readonly Dictionary<string, (string Value, DateTimeOffset Until)> _jar = [];
    private readonly SemaphoreSlim _refreshing = new(1);
    private readonly HttpClient _client = BindingApp.NewClient();

    /// <summary>What was bound: the terms as the server gave them, and the challenge that was told last.</summary>
    public sealed record Bound(string Id, string RefreshPath, string Cookie, string Attributes)
    {
        public string? Challenge { get; set; }
    }

    public DeviceKey Key { get; } = DeviceKey.New(algorithm);

    public Bound? Binding { get; private set; }

    /// <summary>What the last response told to register with.</summary>
    public (string Path, string Challenge)? Offer { get; private set; }

    public int RefreshRequests { get; private set; }

    public int Signatures { get; private set; }

    /// <summary>Whether it does what it is offered. Most browsers do not.</summary>
    public bool Binds { get; init; } = true;

    public IReadOnlyDictionary<string, string> Cookies => LiveCookies().ToDictionary(each => each.Key, each => each.Value.Value);

    public string CookieHeader => string.Join("; ", LiveCookies().Select(each => $"{each.Key}={each.Value.Value}"));

    public Task<HttpResponseMessage> GetAsync(string path, params (string, string)[] headers) => SendAsync(HttpMethod.Get, path, headers);

    public Task<HttpResponseMessage> PostAsync(string path, params (string, string)[] headers) => SendAsync(HttpMethod.Post, path, headers);

    public async Task<string> TextAsync(string path)
    {
        using var response = await GetAsync(path);
        return $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)}";
    }

    /// <summary>Sends a request as a browser does: refreshed before where that is due, and with its offer taken after.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        if (Binding is not null && await RefreshIfDueAsync() is { } skipped)
        {
            headers = [.. headers, ("Secure-Session-Skipped", skipped)];
        }

        var response = await SendBareAsync(method, path, headers);
        if (Binds && Offer is not null)
        {
            await RegisterAsync();
        }

        return response;
    }

    /// <summary>Sends a request with the cookies of the jar, and nothing of the protocol.</summary>
    public async Task<HttpResponseMessage> SendBareAsync(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(address, path));
        if (CookieHeader is { Length: > 0 } cookies)
        {
            request.Headers.Add("Cookie", cookies);
        }

        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        Keep(response);
        return response;
    }

    public Task<HttpResponseMessage> RegisterAsync()
    {
        var (path, challenge) = Offer!.Value;
        return RegisterAsync(path, Key.Proof(challenge, withKey: true));
    }

    public async Task<HttpResponseMessage> RegisterAsync(string path, string proof)
    {
        Offer = null;
        Signatures++;
        var response = await SendBareAsync(HttpMethod.Post, path, ("Sec-Fetch-Site", "same-origin"), ("Secure-Session-Response", proof));
        if (response.StatusCode == HttpStatusCode.OK)
        {
            var terms = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
            var credential = terms.GetProperty("credentials")[0];
            Binding = new Bound(
                terms.GetProperty("session_identifier").GetString()!, terms.GetProperty("refresh_url").GetString()!,
                credential.GetProperty("name").GetString()!, credential.GetProperty("attributes").GetString()!);
            KeepChallenge(response);
        }

        return response;
    }

    /// <summary>Refreshes now: without a proof where no challenge is known.</summary>
    /// <returns>The last answer.</returns>
    public async Task<HttpResponseMessage> RefreshAsync()
    {
        for (var asked = 1; ; asked++)
        {
            var binding = Binding!;
            var challenge = binding.Challenge;
            binding.Challenge = null;
            (string, string)[] proof = challenge is null ? [] : [("Secure-Session-Response", Key.Proof(challenge, withKey: false))];
            RefreshRequests++;
            Signatures += proof.Length;
            var response = await SendBareAsync(
                HttpMethod.Post, binding.RefreshPath, [("Sec-Fetch-Site", "same-origin"), ("Sec-Secure-Session-Id", binding.Id), .. proof]);
            KeepChallenge(response);
            switch ((int)response.StatusCode)
            {
                case 403 when binding.Challenge is not null && asked < MostChallenges:
                    continue;
                case >= 400 and < 500:
                    Binding = null;
                    break;
            }

            return response;
        }
    }

    public void Forget(string cookie) => _jar.Remove(cookie);

    public void Dispose()
    {
        _client.Dispose();
        _refreshing.Dispose();
        Key.Dispose();
    }

    /// <returns>What the held requests say when they go out without the cookie all the same.</returns>
    private async Task<string?> RefreshIfDueAsync()
    {
        await _refreshing.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (Binding is not { } binding || Cookies.ContainsKey(binding.Cookie))
            {
                return null;
            }

            using var response = await RefreshAsync();
            return (int)response.StatusCode >= 500 ? $"server_error;session_identifier=\"{binding.Id}\"" : null;
        }
        finally
        {
            _refreshing.Release();
        }
    }

    private IEnumerable<KeyValuePair<string, (string Value, DateTimeOffset Until)>> LiveCookies() => _jar.Where(each => each.Value.Until > time.GetUtcNow());

    private void Keep(HttpResponseMessage response)
    {
        foreach (var line in response.Headers.TryGetValues("Set-Cookie", out var lines) ? lines : [])
        {
            var parts = line.Split("; ");
            var (name, value) =
                (parts[0][..parts[0].IndexOf('=', StringComparison.Ordinal)], parts[0][(parts[0].IndexOf('=', StringComparison.Ordinal) + 1)..]);
            var maxAge = parts.FirstOrDefault(part => part.StartsWith("Max-Age=", StringComparison.Ordinal));
            _jar[name] =
                (value, maxAge is null ? DateTimeOffset.MaxValue : time.GetUtcNow().AddSeconds(int.Parse(maxAge["Max-Age=".Length..], System.Globalization.CultureInfo.InvariantCulture)));
            if (Binding is { } binding && name == binding.Cookie && value is not "")
            {
                // Chromium would refresh before every request if these were not the same.
                Assert.Equal(binding.Attributes.Split("; ").Order(), parts[1..].Where(part => part != maxAge).Order());
            }
        }

        if (response.Headers.TryGetValues("Secure-Session-Registration", out var offers))
        {
            var offer = OfferPattern().Match(Assert.Single(offers));
            Offer = (offer.Groups["path"].Value, offer.Groups["challenge"].Value);
        }
    }

    private void KeepChallenge(HttpResponseMessage response)
    {
        if (response.Headers.TryGetValues("Secure-Session-Challenge", out var challenges))
        {
            var challenge = ChallengePattern().Match(Assert.Single(challenges));
            Assert.Equal(Binding!.Id, challenge.Groups["id"].Value);
            Binding.Challenge = challenge.Groups["challenge"].Value;
        }
    }

    [GeneratedRegex("""^\(ES256 RS256\);path="(?<path>[^"]+)";challenge="(?<challenge>[A-Za-z0-9_-]+)"$""")]
    private static partial Regex OfferPattern();

    [GeneratedRegex("""^"(?<challenge>[A-Za-z0-9_-]+)";id="(?<id>[A-Za-z0-9_-]+)"$""")]
    private static partial Regex ChallengePattern();
}
