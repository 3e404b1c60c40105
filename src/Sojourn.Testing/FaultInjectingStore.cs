using Sojourn.Storage;

namespace Sojourn.Testing;

/// <summary>
/// A store around another that fails, waits and loses answers on demand, and counts what it is asked: for tests of what an application
/// does when its database has a bad day.
/// </summary>
/// <remarks>
/// <para>Thread-safe. Without rules every call goes straight through. A call that is cancelled while it waits throws without having reached
/// the store. Which rules a call obeys is settled when it arrives.</para>
/// <para>What the store inside can do besides, <see cref="ISessionStore.As{T}"/> gives; it is neither counted nor ruled.</para>
/// <example>
/// <code>
/// var store = new FaultInjectingStore(new MemorySessionStore());
/// store.On(StoreVerb.Replace).Fail(times: 2);
/// store.On(StoreVerb.Create).LoseAnswer(times: 1);
/// var held = store.On(StoreVerb.Delete).Hold();
/// // let the application delete
/// await held.Arrived;
/// held.Release();
/// </code>
/// </example>
/// </remarks>
public sealed class FaultInjectingStore : ISessionStore
{
    private readonly ISessionStore _inner;
    private readonly Lock _gate = new();
    private readonly List<FaultRule.Rule> _rules = [];
    private readonly int[] _calls = new int[Enum.GetValues<StoreVerb>().Length];

    /// <summary>Wraps a store.</summary>
    /// <param name="inner">The store that does the work; whoever made it disposes of it.</param>
    /// <param name="time">What delays are measured by; the system's clock when <see langword="null"/>.</param>
    public FaultInjectingStore(ISessionStore inner, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        Time = time ?? TimeProvider.System;
    }

    /// <summary>How often the store was asked, failed calls included; the calls of all verbs.</summary>
    public int Calls
    {
        get
        {
            lock (_gate) return _calls.Sum();
        }
    }

    internal TimeProvider Time { get; }

    /// <summary>Adds rules for a verb.</summary>
    /// <param name="verb">The verb.</param>
    /// <returns>What adds them.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such verb.</exception>
    public FaultRule On(StoreVerb verb)
    {
        if (!Enum.IsDefined(verb)) throw new ArgumentOutOfRangeException(nameof(verb), verb, "There is no such verb.");
        return new(this, verb);
    }

    /// <summary>Removes all rules. A call that waits already goes on waiting.</summary>
    public void Clear()
    {
        lock (_gate) _rules.Clear();
    }

    /// <summary>How often the store was asked to do one thing, failed calls included.</summary>
    /// <param name="verb">The verb.</param>
    /// <returns>The number of calls that have arrived since the store was made or <see cref="ResetCounts"/> was called.</returns>
    public int CallsOf(StoreVerb verb)
    {
        lock (_gate) return _calls[(int)verb];
    }

    /// <summary>Counts from zero again; rules stay.</summary>
    public void ResetCounts()
    {
        lock (_gate) Array.Clear(_calls);
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

    /// <inheritdoc/>
    public T? As<T>()
        where T : class => this as T ?? _inner.As<T>();

    internal void Add(FaultRule.Rule rule)
    {
        lock (_gate) _rules.Add(rule);
    }

    private async ValueTask<T> CallAsync<T>(StoreVerb verb, Func<ValueTask<T>> call, CancellationToken cancellationToken)
    {
        var rules = Arrive(verb);
        foreach (var rule in rules)
        {
            if (rule.Wait is { } wait) await wait(cancellationToken).ConfigureAwait(false);
        }
        var effect = rules.Count == 0 ? FaultRule.Effect.Wait : rules[^1].Effect;
        if (effect == FaultRule.Effect.Fail) throw new InjectedFaultException(verb, tookEffect: false);
        var answer = await call().ConfigureAwait(false);
        return effect == FaultRule.Effect.LoseAnswer ? throw new InjectedFaultException(verb, tookEffect: true) : answer;
    }

    /// <summary>Counts a call and takes the rules that it obeys; only the last of them can make it fail.</summary>
    private List<FaultRule.Rule> Arrive(StoreVerb verb)
    {
        lock (_gate)
        {
            _calls[(int)verb]++;
            List<FaultRule.Rule> obeyed = [];
            foreach (var rule in _rules)
            {
                if (rule.Verb != verb) continue;
                obeyed.Add(rule);
                rule.CallsLeft--;
                if (rule.Effect != FaultRule.Effect.Wait) break;
            }
            _rules.RemoveAll(rule => rule.CallsLeft == 0);
            return obeyed;
        }
    }
}
