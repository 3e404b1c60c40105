using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Sojourn.Storage;

namespace Sojourn.ExpressConformance;

/// <summary>Around a store: calls are recorded by express-session's names, faults and delays are made on demand (contract, section 4).</summary>
internal sealed class RecordingStore(IConformanceStore inner, bool canTouch) : IConformanceStore
{
    private ConcurrentQueue<(string Name, string Id)> _calls = new();
    private JsonObject _faults = [];

    public TimeSpan TimeToLive => inner.TimeToLive;

    public bool CanTouch => canTouch && inner.CanTouch;

    public SessionVersion VersionOf(SessionRecord record) => inner.VersionOf(record);

    public Task<JsonObject> DumpAsync() => inner.DumpAsync();

    public Task ClearAsync() => inner.ClearAsync();

    public Task PutRawAsync(string id, byte[] text) => inner.PutRawAsync(id, text);

    public async Task ResetAsync()
    {
        await ClearAsync();
        TakeCalls();
        SetFaults([]);
    }

    public void SetFaults(JsonObject faults) => _faults = faults;

    public JsonArray TakeCalls() => [.. Interlocked.Exchange(ref _calls, new()).Select(call => new JsonArray(call.Name, call.Id))];

    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        await ArriveAsync("get", key);
        return await inner.ReadAsync(key, cancellationToken);
    }

    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        await ArriveAsync("set", key);
        return await inner.CreateAsync(key, record, cancellationToken);
    }

    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        await ArriveAsync("set", key);
        return await inner.ReplaceAsync(key, current, next, cancellationToken);
    }

    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        await ArriveAsync("touch", key);
        return await inner.TouchAsync(key, current, expiresAt, cancellationToken);
    }

    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        await ArriveAsync("destroy", key);
        return await inner.DeleteAsync(key, current, cancellationToken);
    }

    private async Task ArriveAsync(string name, string id)
    {
        _calls.Enqueue((name, id));
        var faults = _faults;
        if (faults["delay"]?[name] is { } milliseconds)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(milliseconds.GetValue<double>()), TimeProvider.System);
        }

        if (faults[name] is { } fault)
        {
            throw new IOException(fault["error"]?.GetValue<string>() ?? "boom!");
        }
    }
}
