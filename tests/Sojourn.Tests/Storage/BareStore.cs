using Sojourn.Storage;

namespace Sojourn.Tests.Storage;

/// <summary>The five verbs of another store and nothing else: where a test spoils one of them, and a store that cannot do more.</summary>
internal class BareStore(ISessionStore inner) : ISessionStore
{
    protected ISessionStore Inner => inner;

    public virtual ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => inner.ReadAsync(key, cancellationToken);

    public virtual ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
        => inner.CreateAsync(key, record, cancellationToken);

    public virtual ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
        => inner.ReplaceAsync(key, current, next, cancellationToken);

    public virtual ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
        => inner.TouchAsync(key, current, expiresAt, cancellationToken);

    public virtual ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
        => inner.DeleteAsync(key, current, cancellationToken);
}
