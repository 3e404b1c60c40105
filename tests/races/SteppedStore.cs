using System.Collections.Concurrent;
using Sojourn.Storage;

namespace Sojourn.Races;

/// <summary>A store around another whose every call, also of what it can do besides, is two steps of the schedule: the call, and its answer.</summary>
/// <param name="inner">The store under test.</param>
/// <param name="keys">The keys of the race.</param>
/// <param name="name">What the trace calls it; empty where there is but one.</param>
internal sealed class SteppedStore(ISessionStore inner, KeyNames keys, string name = "") : ISessionStore, ISessionIndex, IExpiringStore, ISubjectRegistry
{
    private readonly string _prefix = name.Length == 0 ? "" : name + " ";
    private readonly ISessionIndex? _index = inner.As<ISessionIndex>();
    private readonly IExpiringStore? _expiring = inner.As<IExpiringStore>();
    private readonly ISubjectRegistry? _subjects = inner.As<ISubjectRegistry>();

    public T? As<T>()
        where T : class =>
        typeof(T) == typeof(ISessionIndex) || typeof(T) == typeof(IExpiringStore) || typeof(T) == typeof(ISubjectRegistry) ? inner.As<T>() is null ? null : this as T
        : inner.As<T>();

    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) =>
        StepAsync("read", key, () => inner.ReadAsync(key, cancellationToken), static record => record is null ? "nothing" : "found");

    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        keys.Add(key);
        return StepAsync("create", key, () => inner.CreateAsync(key, record, cancellationToken), Tell);
    }

    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
        StepAsync("replace", key, async () => Look(await inner.ReplaceAsync(key, current, next, cancellationToken), current, next.ExpiresAt), Tell);

    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
        StepAsync("touch", key, async () => Look(await inner.TouchAsync(key, current, expiresAt, cancellationToken), current, expiresAt), Tell);

    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
        StepAsync(current is null ? "delete" : "delete unchanged", key, () => inner.DeleteAsync(key, current, cancellationToken), Tell);

    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) => Scheduler.CallAsync(
        $"{_prefix}find {keys.NameOfLabel(label)}", () => FindInOrderAsync(label, cancellationToken),
        found => string.Join(' ', found.Select(each => keys.NameOf(each.Key))));

    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(
        string? afterKey, int limit, CancellationToken cancellationToken) => Scheduler.CallAsync(
        _prefix + "page", () => _index!.PageAsync(afterKey, limit, cancellationToken), static page => $"{page.Count}");

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        Scheduler.CallAsync(_prefix + "count", () => _index!.CountAsync(cancellationToken), static count => $"{count}");

    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => Scheduler.CallAsync(
        $"{_prefix}delete all {keys.NameOfLabel(label)}", () => _index!.DeleteByLabelAsync(label, cancellationToken), static count => $"{count}");

    public ValueTask<long> PruneAsync(DateTimeOffset now, CancellationToken cancellationToken) => Scheduler.CallAsync(
        _prefix + "prune", () => _expiring!.PruneAsync(now, cancellationToken), static count => $"{count}");

    public ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken) => Scheduler.CallAsync(
        $"{_prefix}read entry of {keys.NameOfLabel(subject)}", () => _subjects!.ReadSubjectAsync(subject, cancellationToken),
        static entry => entry is null ? "nothing" : "found");

    public ValueTask<bool> ReplaceSubjectAsync(
        string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken) => Scheduler.CallAsync(
        $"{_prefix}replace entry of {keys.NameOfLabel(subject)}", () => _subjects!.ReplaceSubjectAsync(subject, current, next, keepUntil, cancellationToken),
        Tell);

    private ValueTask<T> StepAsync<T>(string verb, string key, Func<ValueTask<T>> call, Func<T, string> tell) =>
        Scheduler.CallAsync($"{_prefix}{verb} {keys.NameOf(key)}", call, tell);

    /// <summary>A deadline counts from when the session was used, which was too late if the one before had passed by then.</summary>
    private WriteResult Look(WriteResult result, SessionRecord current, DateTimeOffset expiresAt)
    {
        keys.HasRevived |= result.Outcome == WriteOutcome.Done && expiresAt - Race.IdleTimeout >= current.ExpiresAt;
        return result;
    }

    /// <summary>The order in which an index finds records is its own; here it is the schedule's.</summary>
    private async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindInOrderAsync(string label, CancellationToken cancellationToken)
    {
        var found = await _index!.FindAsync(label, cancellationToken);
        if (found.Count < 2)
        {
            return found;
        }

        var inOrder = found.OrderBy(each => keys.NumberOf(each.Key));
        return [.. Scheduler.Choose(2) == 0 ? inOrder : inOrder.Reverse()];
    }

    private static string Tell(bool answer) => answer ? "done" : "refused";

    private static string Tell(WriteResult result) => result.Outcome.ToString();
}

/// <summary>
/// The keys of one race, in the order in which they were made. Keys are random: what the trace and the schedule know them by is their number.
/// </summary>
internal sealed class KeyNames
{
    private readonly ConcurrentDictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _labels = new(StringComparer.Ordinal);

    public IEnumerable<string> All => _numbers.OrderBy(static key => key.Value).Select(static key => key.Key);

    /// <summary>Whether a record that had expired was given a new deadline.</summary>
    public bool HasRevived { get; set; }

    public void Clear()
    {
        _numbers.Clear();
        _labels.Clear();
        HasRevived = false;
    }

    public void Add(string key) => _numbers.TryAdd(key, _numbers.Count + 1);

    public int NumberOf(string key) => _numbers.GetValueOrDefault(key);

    public string NameOf(string key) => $"key {NumberOf(key)}";

    public string NameOfLabel(string label)
    {
        var kind = label.Split(':')[0];
        return $"{kind} {_labels.GetOrAdd(label, _ => _labels.Keys.Count(other => other.StartsWith(kind, StringComparison.Ordinal)) + 1)}";
    }
}
