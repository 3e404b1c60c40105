using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn.Administration;

/// <summary>Finds records by label, and tells what a list shows of them. Thread-safe.</summary>
internal sealed class SessionFinder(TimedStore store, ISessionOperations operations)
{
    private readonly ISessionIndex? _index = store.As<ISessionIndex>();

    /// <summary>
    /// Whether the store can find records by their labels: one without an index cannot, nor can the layouts of npm stores, which have no place for them.
    /// </summary>
    public bool FindsByLabel { get; } = store.As<ISessionIndex>() is not null && store.As<INodeLayout>() is null;

    /// <summary>The sessions that bear a label and have not expired.</summary>
    public async ValueTask<IReadOnlyList<SessionInfo>> FindAsync(string label, CancellationToken cancellationToken) =>
        [.. (await FindLiveAsync(label, cancellationToken).ConfigureAwait(false)).Select(static found => found.Session)];

    /// <summary>The same, with what the store has of them.</summary>
    public async ValueTask<IReadOnlyList<(string Key, SessionRecord Record, SessionInfo Session)>> FindLiveAsync(
        string label, CancellationToken cancellationToken)
    {
        var found = new List<(string, SessionRecord, SessionInfo)>();
        foreach (var (key, record) in await FindRecordsAsync(label, cancellationToken).ConfigureAwait(false))
        {
            if (DescribeLive(key, record) is { } session)
            {
                found.Add((key, record, session));
            }
        }

        return found;
    }

    /// <summary>The records that bear a label, also those past their expiry.</summary>
    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindRecordsAsync(string label, CancellationToken cancellationToken) =>
        store.CallAsync("find", cancellation => Index.FindAsync(label, cancellation), cancellationToken);

    public ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken) =>
        store.CallAsync("page", cancellation => Index.PageAsync(afterKey, limit, cancellation), cancellationToken);

    /// <summary>All records, a page at a time, also those past their expiry.</summary>
    public async IAsyncEnumerable<KeyValuePair<string, SessionRecord>> AllAsync(int pageSize, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        do
        {
            var page = await PageAsync(after, pageSize, cancellationToken).ConfigureAwait(false);
            foreach (var each in page)
            {
                yield return each;
            }

            after = page.Count < pageSize ? null : page[^1].Key;
        }
        while (after is not null);
    }

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        store.CallAsync("count", cancellation => Index.CountAsync(cancellation), cancellationToken);

    public bool IsAlive(SessionInfo session)
    {
        var now = operations.Time.GetUtcNow();
        return session.ExpiresAt > now && !(session.AbsoluteExpiresAt <= now);
    }

    /// <summary>What a list shows of a record; <see langword="null"/> when it is no session, or has expired.</summary>
    public SessionInfo? DescribeLive(string key, SessionRecord record) => Describe(key, record) is { } session && IsAlive(session) ? session : null;

    /// <summary>What a list shows of a record; <see langword="null"/> when it is no session.</summary>
    public SessionInfo? Describe(string key, SessionRecord record) => Open(key, record) is not { } session
        ? null
        : new SessionInfo
        {
            Handle = session.KnownHandle,
            Subject = session.Subject,
            Impersonator = session.Impersonator,
            CreatedAt = session.CreatedAt,
            SignedInAt = session.SignedInAt,
            LastSeenAt = session.LastSeenAt,
            ExpiresAt = session.ExpiresAt,
            AbsoluteExpiresAt = session.AbsoluteExpiresAt,
            Device = session.Device,
            IsDeviceBound = session.IsDeviceBound,
            Names = session.Names,
            Bytes = record.Document.Length,
        };

    /// <summary>The labels that a record's document asks for, as a sign-in would give them; <see langword="null"/> when it is no session.</summary>
    public ImmutableArray<string>? LabelsOf(string key, SessionRecord record) => Open(key, record)?.Labels();

    /// <summary>The session as it is stored, for its deadlines and labels; <see langword="null"/> when it is none.</summary>
    public Session? Open(string key, SessionRecord record) =>
        Forwarding.Of(record) is null && SessionDocument.Of(record) is { } document && document.ReadMetadata() is not null
            ? new Session(operations, null, null, key, record, document)
            : null;

    private ISessionIndex Index =>
        _index ?? throw new NotSupportedException(
            "The sessions' store has no index (ISessionIndex), so sessions cannot be listed or ended from elsewhere. docs/stores.md tells which have one.");
}
