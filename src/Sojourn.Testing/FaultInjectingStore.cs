using System.Numerics;
using Sojourn.Storage;

namespace Sojourn.Testing;

/// <summary>
/// A store around another that fails, waits and loses answers on demand, and counts what it is asked: for tests of what an application
/// does when its database has a bad day.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Where nothing is arranged, every call goes straight through. Being cancelled while it waits, a call throws without
/// having reached the store.</para>
/// <example>
/// <code>
/// var store = FaultInjectingStore.Around(new MemorySessionStore());
/// store.On(StoreVerb.Replace).Fail(times: 2);
/// store.On(StoreVerb.Read | StoreVerb.Touch).LoseAnswer();
/// var hold = store.On(StoreVerb.Delete).Hold();
/// await hold.Arrived;
/// hold.Release();
/// </code>
/// </example>
/// </remarks>
public class FaultInjectingStore : ISessionStore
{
    /// <summary>As a number of times: every call, until <see cref="Clear"/>.</summary>
    public const int Always = int.MaxValue;

    private readonly ISessionStore _inner;
    private readonly Lock _gate = new();
    private readonly List<Fault> _faults = [];
    private readonly long[] _calls = new long[BitOperations.PopCount((uint)StoreVerb.All)];

    private FaultInjectingStore(ISessionStore inner, TimeProvider timeProvider)
    {
        _inner = inner;
        TimeProvider = timeProvider;
    }

    internal TimeProvider TimeProvider { get; }

    /// <summary>Wraps a store. The wrapper is an <see cref="IExpiringStore"/> and an <see cref="ISessionIndex"/> where the store is.</summary>
    /// <param name="inner">The store that does the work; whoever made it disposes of it.</param>
    /// <param name="timeProvider">What delays are measured by; the system's clock when <see langword="null"/>.</param>
    /// <returns>The wrapper, with nothing arranged.</returns>
    public static FaultInjectingStore Around(ISessionStore inner, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        timeProvider ??= TimeProvider.System;
        return (inner is IExpiringStore, inner is ISessionIndex) switch
        {
            (true, true) => new ExpiringAndIndexed(inner, timeProvider),
            (true, false) => new Expiring(inner, timeProvider),
            (false, true) => new Indexed(inner, timeProvider),
            _ => new FaultInjectingStore(inner, timeProvider),
        };
    }

    /// <summary>Arranges what shall befall the next calls of some verbs.</summary>
    /// <param name="verbs">One verb or several.</param>
    /// <returns>What can be arranged.</returns>
    public StoreFaults On(StoreVerb verbs) => new(this, verbs);

    /// <summary>Forgets what is arranged and has not happened yet. A call that is held stays held.</summary>
    public void Clear()
    {
        lock (_gate) _faults.Clear();
    }

    /// <summary>Counts the calls so far, failed ones included.</summary>
    /// <param name="verbs">One verb or several; all by default.</param>
    /// <returns>How often the store was asked to do any of them.</returns>
    public long Calls(StoreVerb verbs = StoreVerb.All)
    {
        lock (_gate) return _calls.Where((_, bit) => verbs.HasFlag((StoreVerb)(1 << bit))).Sum();
    }

    /// <inheritdoc/>
    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Read, () => _inner.ReadAsync(key, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Create, () => _inner.CreateAsync(key, record, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Replace, () => _inner.ReplaceAsync(key, current, next, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Touch, () => _inner.TouchAsync(key, current, expiresAt, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Delete, () => _inner.DeleteAsync(key, current, cancellationToken), cancellationToken);

    internal void Arrange(StoreVerb verbs, int times, Func<CancellationToken, ValueTask>? before = null, Exception? after = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        lock (_gate) _faults.Add(new(verbs, before, after) { Left = times });
    }

    private ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Prune, () => ((IExpiringStore)_inner).PruneAsync(now, cancellationToken), cancellationToken);

    private ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Find, () => ((ISessionIndex)_inner).FindAsync(label, cancellationToken), cancellationToken);

    private ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Page, () => ((ISessionIndex)_inner).PageAsync(afterKey, limit, cancellationToken), cancellationToken);

    private ValueTask<long> CountAsync(CancellationToken cancellationToken)
        => CallAsync(StoreVerb.Count, () => ((ISessionIndex)_inner).CountAsync(cancellationToken), cancellationToken);

    private ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken)
        => CallAsync(StoreVerb.DeleteByLabel, () => ((ISessionIndex)_inner).DeleteByLabelAsync(label, cancellationToken), cancellationToken);

    private async ValueTask<T> CallAsync<T>(StoreVerb verb, Func<ValueTask<T>> call, CancellationToken cancellationToken)
    {
        var fault = Next(verb);
        if (fault?.Before is { } before) await before(cancellationToken).ConfigureAwait(false);
        var answer = await call().ConfigureAwait(false);
        return fault?.After is { } lost ? throw lost : answer;
    }

    private Fault? Next(StoreVerb verb)
    {
        lock (_gate)
        {
            _calls[BitOperations.TrailingZeroCount((uint)verb)]++;
            var fault = _faults.Find(fault => fault.Verbs.HasFlag(verb));
            if (fault is not null && fault.Left != Always && --fault.Left == 0) _faults.Remove(fault);
            return fault;
        }
    }

    private sealed class Fault(StoreVerb verbs, Func<CancellationToken, ValueTask>? before, Exception? after)
    {
        public StoreVerb Verbs => verbs;

        public Func<CancellationToken, ValueTask>? Before => before;

        public Exception? After => after;

        public int Left { get; set; }
    }

    private sealed class Expiring(ISessionStore inner, TimeProvider timeProvider) : FaultInjectingStore(inner, timeProvider), IExpiringStore
    {
        ValueTask<long> IExpiringStore.PruneAsync(DateTimeOffset now, CancellationToken cancellationToken) => PruneAsync(now, cancellationToken);
    }

    private class Indexed(ISessionStore inner, TimeProvider timeProvider) : FaultInjectingStore(inner, timeProvider), ISessionIndex
    {
        ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> ISessionIndex.FindAsync(string label, CancellationToken cancellationToken)
            => FindAsync(label, cancellationToken);

        ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> ISessionIndex.PageAsync(string? afterKey, int limit, CancellationToken cancellationToken)
            => PageAsync(afterKey, limit, cancellationToken);

        ValueTask<long> ISessionIndex.CountAsync(CancellationToken cancellationToken) => CountAsync(cancellationToken);

        ValueTask<long> ISessionIndex.DeleteByLabelAsync(string label, CancellationToken cancellationToken) => DeleteByLabelAsync(label, cancellationToken);
    }

    private sealed class ExpiringAndIndexed(ISessionStore inner, TimeProvider timeProvider) : Indexed(inner, timeProvider), IExpiringStore
    {
        ValueTask<long> IExpiringStore.PruneAsync(DateTimeOffset now, CancellationToken cancellationToken) => PruneAsync(now, cancellationToken);
    }
}
