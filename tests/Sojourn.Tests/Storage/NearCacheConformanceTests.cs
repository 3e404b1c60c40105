using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.Tests.Storage;

/// <summary>A near cache of one process alone is as fresh as its store: no time passes for its copies here, and the suite makes no allowance.</summary>
public sealed class NearCacheConformanceTests : SessionStoreConformance
{
    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(new ServiceCollection()
        .AddSingleton<TimeProvider>(new FakeTimeProvider(TimeProvider.System.GetUtcNow()))
        .AddSojournCore().UseMemory().WithNearCache(TimeSpan.FromMinutes(5)).Services.BuildServiceProvider().GetRequiredService<ISessionStore>());
}

/// <summary>Two processes with a near cache each: what the other one wrote is seen when copies are as old as they may be.</summary>
public sealed class NearCachesConformanceTests : SessionStoreConformance
{
    private static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());
    private readonly MemorySessionStore _memory = new();

    protected override bool HasSubjects => true;

    protected override ValueTask<ISessionStore> CreateAsync() => new(new ServiceCollection()
        .AddSingleton<TimeProvider>(_time).AddSojournCore().UseStore(_ => _memory).WithNearCache(MaxStaleness).Services.BuildServiceProvider().GetRequiredService<ISessionStore>());

    protected override async ValueTask<ISessionStore?> CreateSecondAsync() => await CreateAsync();

    protected override ValueTask CatchUpAsync()
    {
        _time.Advance(MaxStaleness);
        return default;
    }
}
