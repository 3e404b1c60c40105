using System.Text.RegularExpressions;

namespace Sojourn.Tool.Checking;

/// <summary>A running application, asked for one page again and again as strangers and as one visitor.</summary>
internal sealed partial class Application : IDisposable
{
    private readonly HttpClient _client;
    private readonly HttpMethod _method;
    private readonly string? _cookieName;

    public Application(Uri url, HttpMethod method, string? cookieName, bool takesAnyCertificate)
    {
        (Url, _method, _cookieName) = (url, method, cookieName);
        var handler = new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false };
        if (takesAnyCertificate)
        {
#pragma warning disable CA5359 // Whoever said --insecure asked for it.
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        _client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(30) };
    }

    public Uri Url { get; }

    /// <summary>Asks, with a cookie or as a stranger.</summary>
    public async Task<Answer> AskAsync(string? cookie, CancellationToken cancellationToken, string query = "")
    {
        var url = query is "" ? Url : new UriBuilder(Url) { Query = Url.Query is "" ? query : Url.Query[1..] + "&" + query }.Uri;
        using var request = new HttpRequestMessage(_method, url);
        if (cookie is not null)
        {
            request.Headers.TryAddWithoutValidation("Cookie", cookie);
        }

        using var response = await SendAsync(request, cancellationToken);
        var set = response.Headers.TryGetValues("Set-Cookie", out var lines) ? lines.Select(static line => new SetCookie(line)).ToList() : [];
        var headers = response.Headers.Concat(response.Content.Headers).Where(
            static header => !header.Key.Equals("Set-Cookie", StringComparison.OrdinalIgnoreCase))
            .ToDictionary(static header => header.Key, static header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase);
        return new Answer((int)response.StatusCode, set.FindAll(IsSession), headers, await response.Content.ReadAsStringAsync(cancellationToken));
    }

    public void Dispose() => _client.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            return await _client.SendAsync(request, cancellationToken);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ToolException($"{Url} did not answer within {_client.Timeout.TotalSeconds:0} s.", ExitCode.Failed);
        }
    }

    private bool IsSession(SetCookie cookie) => _cookieName is null ? Token().IsMatch(Uri.UnescapeDataString(cookie.Value)) : cookie.Name == _cookieName;

    [GeneratedRegex(@"^s:[^.]{8,}\.[A-Za-z0-9+/]{20,}$")]
    private static partial Regex Token();
}

/// <summary>What came back.</summary>
/// <param name="Status">The status code.</param>
/// <param name="Cookies">The Set-Cookie lines of the session's cookie.</param>
/// <param name="Headers">All others.</param>
/// <param name="Body">The body.</param>
internal sealed record Answer(int Status, IReadOnlyList<SetCookie> Cookies, IReadOnlyDictionary<string, string> Headers, string Body)
{
    /// <summary>The id that the visitor has from now on; null when none was given.</summary>
    public string? Id => Cookies.Count == 0 ? null : Cookies[^1].Id;

    public string Header(string name) => Headers.TryGetValue(name, out var value) ? value : "";
}

/// <summary>One Set-Cookie line.</summary>
internal sealed class SetCookie
{
    private readonly Dictionary<string, string?> _attributes = new(StringComparer.OrdinalIgnoreCase);

    public SetCookie(string line)
    {
        var parts = line.Split(';', StringSplitOptions.TrimEntries);
        (Line, Name, Value) = (line, parts[0].Split('=', 2)[0], parts[0].Split('=', 2).ElementAtOrDefault(1) ?? "");
        foreach (var part in parts.Skip(1))
        {
            _attributes[part.Split('=', 2)[0]] = part.Split('=', 2).ElementAtOrDefault(1);
        }
    }

    public string Line { get; }

    public string Name { get; }

    public string Value { get; }

    /// <summary>The id in a token of Sojourn's or of express-session's; else the value.</summary>
    public string Id
    {
        get
        {
            var token = Uri.UnescapeDataString(Value);
            return token.StartsWith("s:", StringComparison.Ordinal) && token.LastIndexOf('.') is > 2 and var dot ? token[2..dot] : token;
        }
    }

    public bool Has(string attribute) => _attributes.ContainsKey(attribute);

    public string? this[string attribute] => _attributes.GetValueOrDefault(attribute);
}
