using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

public sealed class HealthCheckTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_store_that_keeps_what_it_is_given_is_healthy_and_the_probe_leaves_nothing()
    {
        var memory = new MemorySessionStore();
        await using var app = await StartAsync(memory);
        using var client = app.NewClient();
        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative), Token));
        Assert.Equal(0, await memory.CountAsync(Token));
    }

    [Theory]
    [InlineData(StoreVerb.Create)]
    [InlineData(StoreVerb.Read)]
    [InlineData(StoreVerb.Delete)]
    public async Task A_store_that_fails_at_one_thing_is_unhealthy_until_it_is_back(StoreVerb verb)
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        store.On(verb).Fail(times: 1);
        await using var app = await StartAsync(store);
        using var client = app.NewClient();
        using var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), Token);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative), Token));
    }

    private static Task<TestApp> StartAsync(ISessionStore store) => TestApp.StartAsync(
        app => app.MapHealthChecks("/health"),
        store,
        services: services => services.AddHealthChecks().AddSojourn());
}
