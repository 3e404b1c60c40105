namespace Sojourn;

/// <summary>
/// One holder at a time for each key, first come, first served, within this process. Whoever leaves can hand something on to the next.
/// Costs nothing for keys that nobody holds.
/// </summary>
internal sealed class KeyedQueue<T>
    where T : class
{
    private const int ShardCount = 64;
    private readonly Shard[] _shards = [.. Enumerable.Range(0, ShardCount).Select(_ => new Shard())];

    /// <summary>How many wait for their turn just now. Looks at every key: for tests, which have to know who can go on only after another.</summary>
    public int Waiting
    {
        get
        {
            var waiting = 0;
            foreach (var shard in _shards)
            {
                lock (shard.Sync) waiting += shard.Waiting.Values.Sum(static queue => queue?.Count ?? 0);
            }

            return waiting;
        }
    }

    /// <summary>Waits for the key's turn. What is returned comes from the holder before, if there was one.</summary>
    /// <exception cref="OperationCanceledException">The wait was ended; the turn is not held.</exception>
    public ValueTask<T?> EnterAsync(string key, CancellationToken cancellationToken)
    {
        var shard = ShardOf(key);
        TaskCompletionSource<T?> turn;
        lock (shard.Sync)
        {
            if (!shard.Waiting.TryGetValue(key, out var queue))
            {
                shard.Waiting.Add(key, null);
                shard.Held++;
                return default;
            }

            turn = new TaskCompletionSource<T?>(TaskCreationOptions.RunContinuationsAsynchronously);
            if (queue is null)
            {
                shard.Waiting[key] = queue = new Queue<TaskCompletionSource<T?>>();
            }

            queue.Enqueue(turn);
        }

        return cancellationToken.CanBeCanceled ? WaitAsync(turn, cancellationToken) : new ValueTask<T?>(turn.Task);
    }

    /// <summary>Whether somebody holds the key's turn, or that of another key beside it, just now: nobody is kept from taking it by this.</summary>
    public bool IsBusy(string key) => Volatile.Read(ref ShardOf(key).Held) > 0;

    /// <summary>Takes the key's turn, unless somebody holds it.</summary>
    public bool TryEnter(string key)
    {
        var shard = ShardOf(key);
        lock (shard.Sync)
        {
            if (!shard.Waiting.TryAdd(key, null))
            {
                return false;
            }

            shard.Held++;
            return true;
        }
    }

    public void Leave(string key, T? handOn)
    {
        var shard = ShardOf(key);
        lock (shard.Sync)
        {
            var queue = shard.Waiting[key];
            while (queue is not null && queue.TryDequeue(out var next))
            {
                // False for one that gave up waiting.
                if (next.TrySetResult(handOn))
                {
                    return;
                }
            }

            shard.Waiting.Remove(key);
            shard.Held--;
        }
    }

    private static async ValueTask<T?> WaitAsync(TaskCompletionSource<T?> turn, CancellationToken cancellationToken)
    {
        var registration = cancellationToken.UnsafeRegister(static (state, token) => ((TaskCompletionSource<T?>)state!).TrySetCanceled(token), turn);
        await using (registration.ConfigureAwait(false))
        {
            return await turn.Task.ConfigureAwait(false);
        }
    }

    private Shard ShardOf(string key) => _shards[(uint)KeyHash.Of(key) % ShardCount];

    private sealed class Shard
    {
        /// <summary>How many turns are held; read without the lock, too, as the dictionary's count must not be.</summary>
        public int Held;

        public Lock Sync { get; } = new();

        public Dictionary<string, Queue<TaskCompletionSource<T?>>?> Waiting { get; } = new(StringComparer.Ordinal);
    }
}
