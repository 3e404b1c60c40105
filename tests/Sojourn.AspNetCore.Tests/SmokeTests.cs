using System.Net;
using Microsoft.AspNetCore.Builder;

namespace Sojourn.AspNetCore.Tests;

public sealed class SmokeTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_one_request_sets_the_next_one_reads()
    {
        await using var app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/set", (Session session) => session.Set("name", "Ada"));
            app.MapGet("/get", (Session session) => session.Get<string>("name") ?? "nobody");
            app.MapPost("/count", (Session session) => session.Update<int>("count", count => count + 1));
            app.MapGet("/count", (Session session) => session.Get<int>("count"));
            app.MapPost("/out", async (Session session) => await session.DestroyAsync());
        });
        using var client = app.NewClient();
        Assert.Equal("nobody", await client.GetStringAsync("/get", Token));
        using var first = await client.GetAsync("/set", Token);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        var cookie = Assert.Single(first.Headers.GetValues("Set-Cookie"));
        Assert.StartsWith("sid=s%3A", cookie, StringComparison.Ordinal);
        Assert.EndsWith("; Path=/; HttpOnly; SameSite=Lax", cookie, StringComparison.Ordinal);
        Assert.Equal("Ada", await client.GetStringAsync("/get", Token));
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.PostAsync("/count", null, Token)));
        Assert.Equal("50", await client.GetStringAsync("/count", Token));
        using var last = await client.PostAsync("/out", null, Token);
        Assert.Equal(
            "sid=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax", Assert.Single(last.Headers.GetValues("Set-Cookie")));
        Assert.Equal("nobody", await client.GetStringAsync("/get", Token));
    }
}
