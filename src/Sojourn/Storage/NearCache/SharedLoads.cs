namespace Sojourn.Storage.NearCache;

/// <summary>
/// Lets parallel readers of a key share one reading of the store. A reader that gives up leaves the others their answer; one that comes after the key was heard
/// of begins another. Thread-safe.
/// </summary>
internal sealed class SharedLoads(ISessionStore store, NearCopies copies)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Load> _running = new(StringComparer.Ordinal);

    public Task<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        Load? load;
        var isOurs = false;
        lock (_gate)
        {
            if (!_running.TryGetValue(key, out load) || !copies.MayShare(key, load.Call))
            {
                isOurs = true;
                _running[key] = load = new Load(copies.Begin(key));
            }
        }

        if (isOurs)
        {
            _ = RunAsync(key, load);
        }

        return load.Answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Nobody's own: no reader's cancellation ends it. The store's own time limit does, and readers wait no longer than the engine lets them.
    /// </summary>
    private async Task RunAsync(string key, Load load)
    {
        try
        {
            var record = await store.ReadAsync(key, CancellationToken.None).ConfigureAwait(false);
            copies.HaveRead(key, record, load.Call);
            Leave(key, load);
            load.Answer.SetResult(record);
        }
        catch (Exception e)
        {
            Leave(key, load);
            load.Answer.SetException(e);

            // Looked at here, since all its readers may have given up.
            _ = load.Answer.Task.Exception;
        }
    }

    private void Leave(string key, Load load)
    {
        lock (_gate)
        {
            if (_running.GetValueOrDefault(key) == load)
            {
                _running.Remove(key);
            }
        }
    }

    private sealed class Load(StoreCall call)
    {
        public StoreCall Call => call;

        public TaskCompletionSource<SessionRecord?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
