using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore.Tests;

/// <summary>What a request with a session allocates more than one without, from the token to the last header, over the memory store and Kestrel.</summary>
public sealed class AllocationTests
{
    private const int Requests = 2_000;
    private readonly Dictionary<string, List<long>> _allocated = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_read_allocates_at_most_1200_bytes_one_of_a_session_that_is_read_again_720_and_a_write_2500()
    {
        await using var app = await TestApp.StartAsync(Configure, useSojourn: false);
        using var client = app.NewClient();
        await client.GetStringAsync("/seed", Token);
        foreach (var paths in (string[][])[["/none"], ["/write", "/read"], ["/again"]])
        {
            for (var i = 0; i < Requests * paths.Length; i++)
            {
                await client.GetStringAsync(paths[i % paths.Length], Token);
            }
        }

        // The second half, when the compiler has done its work; the median, since the server now and then allocates for itself.
        var (none, read, again, write) = (Median("/none"), Median("/read"), Median("/again"), Median("/write"));
        TestContext.Current.TestOutputHelper?.WriteLine($"none {none}, read {read - none} more, read again {again - none} more, write {write - none} more");
        Assert.InRange(read - none, 1, 1_200);
        Assert.InRange(again - none, 1, 720);
        Assert.InRange(write - none, 1_000, 2_500);
    }

    private void Configure(WebApplication app)
    {
        app.Use((context, next) =>
        {
            var path = context.Request.Path.Value!;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var answer = next(context);
            if (answer.IsCompletedSuccessfully)
            {
                var after = GC.GetAllocatedBytesForCurrentThread();
                (_allocated.TryGetValue(path, out var list) ? list : _allocated[path] = []).Add(after - before);
            }

            return answer;
        });
        app.UseSojourn();
        RequestDelegate none = static context => context.Response.WriteAsync("0123456789");
        app.MapGet("/none", none).WithoutSession();
        app.MapGet("/seed", static (Session session) =>
        {
            session.Set("counter", 0);
            for (var i = 0; i < 10; i++)
            {
                session.Set($"entry{i}", new string('x', 82));
            }
        });
        RequestDelegate read = static context => context.Response.WriteAsync(context.GetSession().Get<string>("entry5")!);
        app.MapGet("/read", read);
        app.MapGet("/again", read);
        RequestDelegate write = static context =>
        {
            var session = context.GetSession();
            session.Set("counter", session.Get<int>("counter") + 1);
            return context.Response.WriteAsync("written");
        };
        app.MapGet("/write", write);
    }

    private long Median(string path)
    {
        var warm = _allocated[path].Skip(Requests / 2).Order().ToArray();
        Assert.True(warm.Length > Requests / 4, $"Only {warm.Length} requests to {path} ended in one go.");
        return warm[warm.Length / 2];
    }
}
