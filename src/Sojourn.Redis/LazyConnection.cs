using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>A connection of the store's own, made by its first use and disposed of with the store.</summary>
internal sealed class LazyConnection : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly ConfigurationOptions _configuration;
    private Task<IConnectionMultiplexer>? _connecting;

    public LazyConnection(ConfigurationOptions configuration)
    {
        _configuration = configuration;

        // A server that is away fails calls, not the start, and is found again when it is back.
        _configuration.AbortOnConnectFail = false;
    }

    public Task<IConnectionMultiplexer> GetAsync()
    {
        lock (_gate)
        {
            return _connecting is null or { IsFaulted: true } or { IsCanceled: true } ? _connecting = OpenAsync() : _connecting;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Task<IConnectionMultiplexer>? connecting;
        lock (_gate)
        {
            connecting = _connecting;
        }

        if (connecting is null)
        {
            return;
        }

        await ((Task)connecting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (connecting.IsCompletedSuccessfully)
        {
            await (await connecting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<IConnectionMultiplexer> OpenAsync() => await ConnectionMultiplexer.ConnectAsync(_configuration).ConfigureAwait(false);
}
