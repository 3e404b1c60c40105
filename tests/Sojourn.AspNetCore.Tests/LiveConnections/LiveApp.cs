using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Administration;

namespace Sojourn.AspNetCore.Tests.LiveConnections;

/// <summary>What the tests of live connections share: somebody signs in, is connected, and is signed out from elsewhere.</summary>
internal static class LiveApp
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static void MapSigningIn(this WebApplication app)
    {
        app.MapPost("/in/{user}", async (Session session, string user) => await session.SignInAsync(user));
        app.MapPost("/renew", async (Session session) => await session.RenewIdAsync());
        app.MapPost("/out", async (Session session) => await session.DestroyAsync());
        app.MapGet("/number/{name}", (Session session, string name) => session.Get<int>(name));
        app.MapGet("/who", (Session session) => session.Subject ?? "nobody");
    }

    public static async Task<HttpClient> SignInAsync(this TestApp app, string user = "ada")
    {
        var client = app.NewClient();
        await PostAsync(client, $"/in/{user}");
        return client;
    }

    public static async Task PostAsync(HttpClient client, string path)
    {
        using var answer = await client.PostAsync(new Uri(path, UriKind.Relative), null, TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>As another device of the user's, or an operator, does it.</summary>
    public static async Task EndAsync(this TestApp app, string user = "ada") => Assert.Equal(
        1, await app.Services.GetRequiredService<ISessionAdministration>().EndAsync(
            new SessionFilter { Subject = user }, cancellationToken: TestContext.Current.CancellationToken));

    /// <summary>
    /// Lets a minute pass, and whatever keeps the user's session alive in the background do so: once a minute, and that takes a moment of real time.
    /// </summary>
    public static async Task AMinuteLaterAsync(this TestApp app, FakeTimeProvider time, string? keptAlive)
    {
        var before = await ExpiresAtAsync();
        time.Advance(TimeSpan.FromMinutes(1));
        while (keptAlive is not null && await ExpiresAtAsync() == before)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        async Task<DateTimeOffset?> ExpiresAtAsync() => keptAlive is null ? null
            : (await app.Services.GetRequiredService<ISessionAdministration>().ListAsync(keptAlive, cancellationToken: TestContext.Current.CancellationToken)).Single().ExpiresAt;
    }

    public static async Task<ClientWebSocket> ConnectAsync(this TestApp app, HttpClient client, string path, Action<ClientWebSocketOptions>? options = null)
    {
        var socket = new ClientWebSocket();
        socket.Options.Cookies = TestApp.CookiesOf(client);
        socket.Options.CollectHttpResponseDetails = true;
        options?.Invoke(socket.Options);
        try
        {
            await socket.ConnectAsync(new UriBuilder(new Uri(app.Address, path)) { Scheme = "ws" }.Uri, TestContext.Current.CancellationToken);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
