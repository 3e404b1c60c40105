namespace Sojourn.Dashboard.Sessions;

/// <summary>How many sessions there are, and what a sample of them says of all.</summary>
/// <param name="At">When they were counted.</param>
/// <param name="Took">How long the store took for it.</param>
/// <param name="Stored">How many records the store has, expired ones that are not removed yet among them.</param>
/// <param name="Sampled">How many of them were looked at.</param>
/// <param name="AliveShare">The share of the sample that has not expired, 0 to 1.</param>
/// <param name="SignedInShare">The share of the sample that has not expired and belongs to somebody, 0 to 1.</param>
internal sealed record SessionCount(DateTimeOffset At, TimeSpan Took, long Stored, int Sampled, double AliveShare, double SignedInShare)
{
    /// <summary>Whether the sample was all there is, so that nothing is estimated.</summary>
    public bool IsExact => Sampled >= Stored;

    public long Alive => (long)Math.Round(Stored * AliveShare);

    public long SignedIn => (long)Math.Round(Stored * SignedInShare);

    public long Anonymous => Alive - SignedIn;
}

/// <summary>
/// Counts the sessions of one name for whoever looks, once for all of them: at the most every five seconds, and where counting is slow so rarely that the store
/// spends no more than a fiftieth of its time on it. Keys are hashes, so the first of them are a fair sample of all. Thread-safe.
/// </summary>
internal sealed class Census(SessionManager manager, TimeProvider time)
{
    public const int SampleSize = 500;

    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly Lock _gate = new();
    private SessionCount? _last;
    private Task<SessionCount>? _running;

    /// <summary>The last count; <see langword="null"/> while the first is still under way.</summary>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="NotSupportedException">The store has no index.</exception>
    public async ValueTask<SessionCount?> TakeAsync(CancellationToken cancellationToken)
    {
        Task<SessionCount> running;
        lock (_gate)
        {
            if (_last is { } last && time.GetUtcNow() < last.At + Longer(Freshness, last.Took * 50))
            {
                return last;
            }

            // Whoever began it may leave; the others still wait for it.
            running = _running ??= Task.Run(CountAsync, CancellationToken.None);
        }

        try
        {
            return await running.WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return _last;
        }
    }

    private async Task<SessionCount> CountAsync()
    {
        try
        {
            var began = time.GetTimestamp();
            var stored = await manager.Finder.CountAsync(CancellationToken.None).ConfigureAwait(false);
            var sample = await manager.Finder.PageAsync(null, SampleSize, CancellationToken.None).ConfigureAwait(false);
            var (alive, signedIn) = (0, 0);
            foreach (var (key, record) in sample)
            {
                if (manager.Finder.DescribeLive(key, record) is { } session)
                {
                    alive++;
                    signedIn += session.Subject is null ? 0 : 1;
                }
            }

            // The last page of a walk is all there is, whatever was counted a moment before.
            stored = sample.Count < SampleSize ? sample.Count : Math.Max(stored, sample.Count);
            var of = Math.Max(1, sample.Count);
            return _last = new SessionCount(time.GetUtcNow(), time.GetElapsedTime(began), stored, sample.Count, (double)alive / of, (double)signedIn / of);
        }
        finally
        {
            lock (_gate)
            {
                _running = null;
            }
        }
    }

    private static TimeSpan Longer(TimeSpan left, TimeSpan right) => left > right ? left : right;
}
