using System.Diagnostics;
using System.Diagnostics.Metrics;
using Sojourn.Events;

namespace Sojourn.Diagnostics;

/// <summary>Names of what Sojourn tells OpenTelemetry.</summary>
public static class SojournDiagnostics
{
    /// <summary>The meter's name: subscribe to it to see Sojourn's counters.</summary>
    public const string MeterName = "Sojourn";

    /// <summary>The source of traces: subscribe to it to see how long sessions are loaded, saved, renewed, signed in to and ended.</summary>
    public const string ActivitySourceName = "Sojourn";

    private static readonly ActivitySource Source = new(ActivitySourceName);

    /// <summary>Begins a span; <see langword="null"/>, and for free, where nobody listens.</summary>
    internal static Activity? Start(string name) => Source.HasListeners() ? Source.StartActivity(name) : null;
}

/// <summary>Sojourn's counters. Tags come from closed sets: never an id, a key or a user.</summary>
internal sealed class SessionMetrics
{
    private readonly Counter<long> _created;
    private readonly Counter<long> _ended;
    private readonly Counter<long> _renewed;
    private readonly Counter<long> _signedIn;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _conflicts;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _storeCalls;
    private readonly Counter<long> _pruned;
    private readonly Histogram<double> _pruneDuration;
    private readonly Counter<long> _unreadable;
    private readonly Histogram<double> _storeDuration;
    private readonly Counter<long> _documentsRefused;
    private readonly Counter<long> _nearCacheHits;
    private readonly Counter<long> _nearCacheMisses;
    private readonly Counter<long> _nearCacheInvalidations;
    private readonly Counter<long> _nearCacheEvictions;
    private readonly UpDownCounter<long> _watched;

    public SessionMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(SojournDiagnostics.MeterName);
        _created = meter.CreateCounter<long>("sojourn.sessions.created", "{session}", "Sessions stored for the first time.");
        _ended = meter.CreateCounter<long>(
            "sojourn.sessions.ended", "{session}",
            "Sessions that ended, by reason: destroyed, signed-out, by-user, by-operator, too-many, credentials-changed, by-provider, dead-id, expired.");
        _renewed = meter.CreateCounter<long>("sojourn.ids.renewed", "{id}", "Ids that were replaced by a new one, at sign-in or otherwise.");
        _signedIn = meter.CreateCounter<long>("sojourn.sign_ins", "{sign-in}", "Users who signed in to a session.");
        _refused = meter.CreateCounter<long>(
            "sojourn.tokens.refused", "{token}", "Tokens that opened nothing, by reason: invalid, ambiguous, unknown, dead.");
        _conflicts = meter.CreateCounter<long>("sojourn.commit.conflicts", "{conflict}", "Commits that met another process's change and were merged with it.");
        _failures = meter.CreateCounter<long>("sojourn.store.failures", "{failure}", "Calls of the store that failed or were late, by verb.");
        _storeDuration = meter.CreateHistogram<double>(
            "sojourn.store.duration", "s", "How long calls of the store take that are not answered at once, by verb.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] });
        _storeCalls = meter.CreateCounter<long>("sojourn.store.calls", "{call}", "Calls of the store, by verb, those that are answered at once among them.");
        _pruned = meter.CreateCounter<long>(
            "sojourn.sessions.pruned", "{session}", "Expired sessions that were removed now and then, where the database does not do so itself.");
        _pruneDuration = meter.CreateHistogram<double>("sojourn.prune.duration", "s", "How long it takes to look for expired sessions and remove them.");
        _unreadable = meter.CreateCounter<long>("sojourn.documents.unreadable", "{document}", "Stored documents that are no session.");
        _documentsRefused = meter.CreateCounter<long>(
            "sojourn.documents.refused", "{document}", "Stored documents that encryption did not open, by reason: not-sealed, unknown-key, altered.");
        _nearCacheHits = meter.CreateCounter<long>("sojourn.near_cache.hits", "{reading}", "Readings that the near cache answered by itself.");
        _nearCacheMisses = meter.CreateCounter<long>(
            "sojourn.near_cache.misses", "{reading}", "Readings for which the near cache had no copy that was young enough.");
        _nearCacheInvalidations = meter.CreateCounter<long>(
            "sojourn.near_cache.invalidations", "{copy}", "Copies that were dropped because the store told of a change, or may have missed to.");
        _nearCacheEvictions = meter.CreateCounter<long>("sojourn.near_cache.evictions", "{copy}", "Copies that were dropped to make room for others.");
        _watched = meter.CreateUpDownCounter<long>("sojourn.sessions.watched", "{watch}", "Requests and connections that wait for the end of their session.");
    }

    public void Created() => _created.Add(1);

    public void Ended(SessionEndReason reason) => Ended(reason switch
    {
        SessionEndReason.Destroyed => "destroyed",
        SessionEndReason.SignedOut => "signed-out",
        SessionEndReason.ByUser => "by-user",
        SessionEndReason.ByOperator => "by-operator",
        SessionEndReason.TooMany => "too-many",
        SessionEndReason.CredentialsChanged => "credentials-changed",
        SessionEndReason.ByProvider => "by-provider",
        SessionEndReason.DeadId => "dead-id",
        _ => "other",
    });

    public void Expired() => Ended("expired");

    public void Renewed() => _renewed.Add(1);

    public void SignedIn() => _signedIn.Add(1);

    private void Ended(string reason) => _ended.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void TokenRefused(string reason) => _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));

    public void Conflict() => _conflicts.Add(1);

    public void StoreFailed(string verb) => _failures.Add(1, new KeyValuePair<string, object?>("verb", verb));

    public bool MeasuresStore => _storeDuration.Enabled;

    public void StoreAnswered(string verb, TimeSpan after) => _storeDuration.Record(after.TotalSeconds, new KeyValuePair<string, object?>("verb", verb));

    public void StoreCalled(string verb) => _storeCalls.Add(1, new KeyValuePair<string, object?>("verb", verb));

    public void Pruned(long count, TimeSpan after)
    {
        _pruned.Add(count);
        _pruneDuration.Record(after.TotalSeconds);
    }

    public void Unreadable() => _unreadable.Add(1);

    public void NearCacheHit() => _nearCacheHits.Add(1);

    public void NearCacheMissed() => _nearCacheMisses.Add(1);

    public void NearCacheInvalidated(int copies) => AddSome(_nearCacheInvalidations, copies);

    public void NearCacheEvicted(int copies) => AddSome(_nearCacheEvictions, copies);

    public void Watched(int more) => _watched.Add(more);

    public void DocumentRefused(string reason) => _documentsRefused.Add(1, new KeyValuePair<string, object?>("reason", reason));

    private static void AddSome(Counter<long> counter, int count)
    {
        if (count > 0)
        {
            counter.Add(count);
        }
    }
}
