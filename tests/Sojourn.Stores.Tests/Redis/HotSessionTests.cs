using System.Net;
using Sojourn.Redis;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>One session that a thousand requests at several applications change at once, while others go about their business.</summary>
public sealed class HotSessionTests(RedisServer server)
{
    private const int Writers = 1000;
    private const int Others = 20;
    private const int ReadsEach = 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public async Task A_thousand_parallel_writers_at_several_applications_all_land_and_others_read_on(int applications)
    {
        var stores = Enumerable.Range(0, applications).Select(_ => new FaultInjectingStore(new RedisSessionStore(server.Connection))).ToList();
        var apps = await Task.WhenAll(stores.Select(static store => StoreApp.StartAsync(builder => builder.UseStore(_ => store))));
        var one = apps[0];
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        var visitors = apps.Select(app => app.NewVisitor(one.Cookies)).ToList();
        var others = await Task.WhenAll(Enumerable.Range(0, Others).Select(async _ =>
        {
            var visitor = one.NewVisitor();
            (await visitor.PostAsync(new Uri("/count", UriKind.Relative), null, Token)).EnsureSuccessStatusCode();
            return visitor;
        }));
        foreach (var store in stores) store.ResetCounts();

        var writers = Enumerable.Range(0, Writers).Select(
            number => visitors[number % applications].PostAsync(new Uri("/count", UriKind.Relative), null, Token)).ToList();
        await Task.WhenAll(others.Select(async visitor =>
        {
            for (var read = 0; read < ReadsEach; read++) Assert.Equal("1", await visitor.GetStringAsync(new Uri("/count", UriKind.Relative), Token));
        }));
        var answers = await Task.WhenAll(writers);

        Assert.All(answers, static answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        // Each change that lands outruns one commit of each other application at most, and a commit that finds nobody before it may begin from an old record,
        // once.
        var commits = stores.Sum(static store => store.CallsOf(StoreVerb.Replace));
        Assert.InRange(commits, Writers, (applications + 1) * Writers);
        Assert.Equal(1 + Writers, await one.ReadAsync());
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{commits} commits for {Writers} changes, {stores.Sum(static store => store.CallsOf(StoreVerb.Read))} reads.");
        foreach (var visitor in visitors.Concat(others)) visitor.Dispose();
        foreach (var app in apps) await app.DisposeAsync();
    }
}
