using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Diagnostics;

namespace Sojourn.AspNetCore.Tests.LiveConnections;

public sealed class SignalRTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task O31_V25_When_the_session_ends_its_hub_connections_do_and_others_stay(HttpTransportType transport)
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        using var bob = await app.SignInAsync("bob");
        await using var connection = await ConnectAsync(app, ada, transport);
        await using var bobs = await ConnectAsync(app, bob, transport);
        var closed = ClosedOf(connection);
        Assert.Equal("hello", await connection.InvokeAsync<string>("Echo", "hello", Token));

        await app.EndAsync();

        await closed.WaitAsync(LiveApp.Patience, Token);
        Assert.Equal(HubConnectionState.Disconnected, connection.State);
        Assert.Equal("still here", await bobs.InvokeAsync<string>("Echo", "still here", Token));
    }

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task A_new_id_does_not_close_the_connection_and_the_end_under_it_does(HttpTransportType transport)
    {
        await using var app = await StartAsync();
        using var ada = await app.SignInAsync();
        await using var connection = await ConnectAsync(app, ada, transport);
        var closed = ClosedOf(connection);
        await LiveApp.PostAsync(ada, "/renew");
        Assert.Equal("hello", await connection.InvokeAsync<string>("Echo", "hello", Token));
        await LiveApp.PostAsync(ada, "/out");
        await closed.WaitAsync(LiveApp.Patience, Token);
    }

    /// <summary>The server greets the client before it tells the hub, and the copy of the request that long polling has bears the id from before.</summary>
    [Theory]
    [InlineData(HttpTransportType.WebSockets, SessionLoad.BeforeHandler)]
    [InlineData(HttpTransportType.LongPolling, SessionLoad.BeforeHandler)]
    [InlineData(HttpTransportType.WebSockets, SessionLoad.OnFirstUse)]
    [InlineData(HttpTransportType.LongPolling, SessionLoad.OnFirstUse)]
    public async Task A_new_id_while_the_connection_is_made_leaves_none_that_outlives_the_session(HttpTransportType transport, SessionLoad load)
    {
        var slow = new SlowToConnect();
        await using var app = await StartAsync(load: load, first: slow);
        using var ada = await app.SignInAsync();
        await using var connection = await ConnectAsync(app, ada, transport);
        var closed = ClosedOf(connection);
        await slow.Connecting.Task.WaitAsync(LiveApp.Patience, Token);
        await LiveApp.PostAsync(ada, "/renew");
        slow.GoOn.SetResult();
        Assert.Equal("hello", await connection.InvokeAsync<string>("Echo", "hello", Token));
        await LiveApp.PostAsync(ada, "/out");
        await closed.WaitAsync(LiveApp.Patience, Token);
    }

    [Fact]
    public async Task A_visitor_without_a_session_connects_and_one_who_left_is_watched_no_more()
    {
        await using var app = await StartAsync();
        using var watched = new MetricCollector<long>(
            app.Services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), SojournDiagnostics.MeterName, "sojourn.sessions.watched");
        using var visitor = app.NewClient();
        await using var nobodys = await ConnectAsync(app, visitor, HttpTransportType.WebSockets);
        Assert.Equal("hello", await nobodys.InvokeAsync<string>("Echo", "hello", Token));
        Assert.Empty(watched.GetMeasurementSnapshot());

        using var ada = await app.SignInAsync();
        await using var connection = await ConnectAsync(app, ada, HttpTransportType.WebSockets);
        await connection.InvokeAsync<string>("Echo", "hello", Token);
        Assert.Equal(1, watched.GetMeasurementSnapshot().Sum(static measured => measured.Value));
        await connection.StopAsync(Token);
        await watched.WaitForMeasurementsAsync(2, LiveApp.Patience);
        Assert.Equal(0, watched.GetMeasurementSnapshot().Sum(static measured => measured.Value));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_keeps_the_session_alive_where_that_is_asked_for(bool keepAlive)
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var app = await StartAsync(keepAlive, time);
        using var ada = await app.SignInAsync();
        await using var connection = await ConnectAsync(app, ada, HttpTransportType.WebSockets);
        var closed = ClosedOf(connection);
        for (var minute = 0; minute < 45; minute++)
        {
            await app.AMinuteLaterAsync(time, keepAlive ? "ada" : null);
        }

        if (keepAlive)
        {
            Assert.Equal("still here", await connection.InvokeAsync<string>("Echo", "still here", Token));
        }
        else
        {
            await closed.WaitAsync(LiveApp.Patience, Token);
        }

        Assert.Equal(keepAlive ? "ada" : "nobody", await ada.GetStringAsync("/who", Token));
    }

    private static Task<TestApp> StartAsync(
        bool keepAlive = false, TimeProvider? time = null, SessionLoad load = SessionLoad.BeforeHandler, IHubFilter? first = null) =>
        TestApp.StartAsync(
        app =>
        {
            app.UseWebSockets();
            app.MapSigningIn();
            app.MapHub<EchoHub>("/hub");
        },
        services: services => services.AddSignalR(o =>
        {
            o.EnableDetailedErrors = true;
            if (first is not null) o.AddFilter(first);
        }).CloseWhenSessionEnds(keepAlive),
        options: o => o.Load = load,
        time: time);

    private static async Task<HubConnection> ConnectAsync(TestApp app, HttpClient client, HttpTransportType transport)
    {
        var connection = new HubConnectionBuilder()
            .WithUrl(new Uri(app.Address, "/hub"), transport, options => options.Cookies = TestApp.CookiesOf(client))
            .Build();
        await connection.StartAsync(Token);
        return connection;
    }

    private static Task ClosedOf(HubConnection connection)
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        connection.Closed += _ =>
        {
            closed.TrySetResult();
            return Task.CompletedTask;
        };
        return closed.Task;
    }

    private sealed class SlowToConnect : IHubFilter
    {
        public TaskCompletionSource Connecting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource GoOn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task OnConnectedAsync(HubLifetimeContext context, Func<HubLifetimeContext, Task> next)
        {
            Connecting.SetResult();
            await GoOn.Task;
            await next(context);
        }
    }

    private sealed class EchoHub : Hub
    {
#pragma warning disable CA1822 // Hub methods are instance methods.
        public string Echo(string text) => text;
#pragma warning restore CA1822
    }
}
