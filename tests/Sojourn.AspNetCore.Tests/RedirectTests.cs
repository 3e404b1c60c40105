using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

public sealed class RedirectTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_redirects_target_sees_the_change_though_the_store_is_slow()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapPost("/set/{value:int}", (Session session, int value) =>
                {
                    session.Set("value", value);
                    return TypedResults.Redirect("/get");
                });
                app.MapGet("/get", (Session session) => session.Get<int>("value"));
            },
            store);
        using var one = app.NewBareClient();
        using var other = app.NewBareClient();
        var seed = await one.PostAsync("/set/0", null, Token);
        var cookie = seed.Headers.GetValues("Set-Cookie").Single().Split(';')[0];
        store.On(StoreVerb.Replace).Delay(TimeSpan.FromMilliseconds(20));
        for (var i = 1; i <= 300; i++)
        {
            using var post = new HttpRequestMessage(HttpMethod.Post, $"/set/{i}") { Headers = { { "Cookie", cookie } } };
            using var redirect = await one.SendAsync(post, Token);
            Assert.Equal(302, (int)redirect.StatusCode);
            using var get = new HttpRequestMessage(HttpMethod.Get, redirect.Headers.Location) { Headers = { { "Cookie", cookie } } };
            using var target = await other.SendAsync(get, Token);
            Assert.Equal(i.ToString(CultureInfo.InvariantCulture), await target.Content.ReadAsStringAsync(Token));
        }
    }
}
