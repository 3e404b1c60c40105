using Sojourn.Document;
using Sojourn.Events;

namespace Sojourn.Administration;

/// <inheritdoc cref="ISessionAdministration"/>
internal sealed class SessionAdministration(SessionManager manager) : ISessionAdministration
{
    /// <summary>A pass meets what renewed its id behind the pass before. An honest store is done after two.</summary>
    private const int MaxPasses = 10;

    private readonly SessionFinder _finder = manager.Finder;

    public async ValueTask<IReadOnlyList<SessionInfo>> ListAsync(string subject, Session? current = null, CancellationToken cancellationToken = default)
    {
        SessionLabels.RequireSubject(subject);
        var handle = current?.Subject is null ? null : current.Handle;
        var sessions = await _finder.FindAsync(SessionLabels.Subject(subject), cancellationToken).ConfigureAwait(false);
        return [
            .. sessions.DistinctBy(static session => session.Handle)
                .OrderByDescending(static session => session.LastSeenAt)
                .Select(session => session with { IsCurrent = handle is not null && session.Handle == handle }),
        ];
    }

    public async ValueTask<SessionInfo?> FindAsync(string handle, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(handle);
        var sessions = await _finder.FindAsync(SessionLabels.Handle(handle), cancellationToken).ConfigureAwait(false);
        return sessions.Count == 0 ? null : sessions[0];
    }

    public async ValueTask<SessionPage> PageAsync(string? after = null, int limit = 100, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(limit, 1_000);
        var records = await _finder.PageAsync(manager.Places.Find(after), limit, cancellationToken).ConfigureAwait(false);
        var sessions = new List<SessionInfo>();
        foreach (var (key, record) in records)
        {
            if (_finder.DescribeLive(key, record) is { } session)
            {
                sessions.Add(session);
            }
        }

        return new SessionPage(sessions, records.Count < limit ? null : manager.Places.Show(records[^1].Key));
    }

    public ValueTask<long> CountAsync(CancellationToken cancellationToken = default) => _finder.CountAsync(cancellationToken);

    public ValueTask<int> EndAsync(SessionFilter filter, SessionEndReason reason = SessionEndReason.ByOperator, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        var label = filter switch
        {
            { Handle: { } handle } => SessionLabels.Handle(handle),
            { Label: { } own } => own,
            { Subject: { } subject } => SessionLabels.Subject(subject),
            _ => throw new ArgumentException(
                "The filter names no session: set Handle, Subject or Label. To end every session there is EndEverythingAsync.", nameof(filter)),
        };
        if (filter is { Handle: "" } or { Subject: "" } or { Except: "" })
        {
            throw new ArgumentException("A member of the filter is empty, and would match nothing. Leave it null if it is not to count.", nameof(filter));
        }

        if (filter.Label is not null)
        {
            SessionLabels.RequireOwn(filter.Label);
        }

        return manager.EndAsync(label, filter, reason, cancellationToken);
    }

    public ValueTask<int> EndOthersAsync(Session current, SessionEndReason reason = SessionEndReason.ByUser, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(current);
        var subject = current.Subject ?? throw new InvalidOperationException("Nobody is signed in to the session, so it has no others.");
        return EndAsync(new SessionFilter { Subject = subject, Except = current.Handle }, reason, cancellationToken);
    }

    public async ValueTask<long> EndEverythingAsync(SessionEndReason reason = SessionEndReason.ByOperator, CancellationToken cancellationToken = default)
    {
        var (began, ended, handles) = (manager.Time.GetUtcNow(), 0L, new HashSet<string>(StringComparer.Ordinal));
        for (var (pass, hasMet) = (0, true); hasMet && pass < MaxPasses; pass++)
        {
            hasMet = false;
            await foreach (var (key, record) in _finder.AllAsync(1_000, cancellationToken).ConfigureAwait(false))
            {
                if (Forwarding.Of(record) is not null)
                {
                    // It leads to a session that is met by itself, or nowhere.
                    continue;
                }

                // What began since is somebody's new session; what does not say when it began ends in the first pass.
                var session = _finder.Describe(key, record);
                if (session?.CreatedAt is { } created ? created <= began : pass == 0)
                {
                    hasMet = true;
                    ended += await manager.EndOnceAsync(key, record, session, handles, reason, cancellationToken).ConfigureAwait(false) ? 1 : 0;
                }
            }
        }

        return ended;
    }
}
