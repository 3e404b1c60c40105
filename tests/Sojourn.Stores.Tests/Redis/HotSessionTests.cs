using System.Net;
using Sojourn.Redis;
using Sojourn.Testing;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>One session that a thousand requests at two applications change at once, while others go about their business.</summary>
public sealed class HotSessionTests(RedisServer server)
{
    private const int Writers = 1000;
    private const int Others = 20;
    private const int ReadsEach = 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_thousand_parallel_writers_at_two_applications_all_land_and_others_read_on()
    {
        FaultInjectingStore[] stores = [NewStore(), NewStore()];
        await using var one = await StoreApp.StartAsync(builder => builder.UseStore(_ => stores[0]));
        await using var two = await StoreApp.StartAsync(builder => builder.UseStore(_ => stores[1]));
        Assert.Equal(HttpStatusCode.OK, await one.CountAsync());
        using var elsewhere = two.NewVisitor(one.Cookies);
        var others = await Task.WhenAll(Enumerable.Range(0, Others).Select(async _ =>
        {
            var visitor = one.NewVisitor();
            (await visitor.PostAsync(new Uri("/count", UriKind.Relative), null, Token)).EnsureSuccessStatusCode();
            return visitor;
        }));
        foreach (var store in stores) store.ResetCounts();

        var writers = Enumerable.Range(0, Writers).Select(number => (number % 2 == 0 ? one.Visitor : elsewhere).PostAsync(new Uri("/count", UriKind.Relative), null, Token)).ToList();
        await Task.WhenAll(others.Select(async visitor =>
        {
            for (var read = 0; read < ReadsEach; read++) Assert.Equal("1", await visitor.GetStringAsync(new Uri("/count", UriKind.Relative), Token));
        }));
        var answers = await Task.WhenAll(writers);

        Assert.All(answers, static answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        // Each change that lands outruns one commit of the other application at most, and a commit that finds nobody before it may begin from an old record, once.
        var commits = stores.Sum(static store => store.CallsOf(StoreVerb.Replace));
        Assert.InRange(commits, Writers, 3 * Writers);
        Assert.Equal(1 + Writers, await one.ReadAsync());
        TestContext.Current.TestOutputHelper?.WriteLine($"{commits} commits for {Writers} changes, {stores.Sum(static store => store.CallsOf(StoreVerb.Read))} reads.");
        foreach (var visitor in others) visitor.Dispose();
    }

    private FaultInjectingStore NewStore() => new(new RedisSessionStore(server.Connection));
}
