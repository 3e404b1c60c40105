using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sojourn.Diagnostics;

namespace Sojourn.Storage.Encryption;

/// <summary>
/// Seals documents on their way into another store and opens them on their way out. Keys, expiries, labels and versions are the other store's. Thread-safe.
/// </summary>
/// <remarks>What does not open is handed out with an empty document, which is no session: the visitor goes on with a new one, and the record is kept.</remarks>
internal sealed class EncryptingStore : ISessionStore, ISessionIndex, IAsyncDisposable
{
    private readonly ISessionStore _inner;
    private readonly ISealingKeys _keys;
    private readonly bool _allowPlaintext;
    private readonly SessionMetrics _metrics;
    private readonly ILogger _logger;

    public EncryptingStore(ISessionStore inner, ISealingKeys keys, bool allowPlaintext, SessionMetrics metrics, ILogger logger)
    {
        (_inner, _keys, _allowPlaintext, _metrics, _logger) = (inner, keys, allowPlaintext, metrics, logger);
        if (inner.As<INodeLayout>() is not null)
        {
            throw Refused(
                "WithEncryption cannot seal the layout of an npm store: a Node application could not read the sessions any more. Use the native layout, or, "
                + "for connect-mongo, its own encryption (ConnectMongoSessionStoreOptions.Encryption).");
        }

        if (inner is MigratingStore)
        {
            throw Refused(
                "WithEncryption stands after MigratingFrom. Call it right after the store whose documents it seals: "
                + "UseRedis(…).WithEncryption(…).MigratingFrom(…).");
        }

        if (allowPlaintext)
        {
            logger.PlaintextAllowed();
        }
    }

    public T? As<T>()
        where T : class =>
            typeof(T) == typeof(EncryptingStore) || (typeof(T) == typeof(ISessionIndex) && _inner.As<T>() is not null) ? this as T : _inner.As<T>();

    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) =>
        await _inner.ReadAsync(key, cancellationToken).ConfigureAwait(false) is { } stored ? Open(key, stored) : null;

    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(record);
        return _inner.CreateAsync(key, Seal(key, record), cancellationToken);
    }

    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        ArgumentNullException.ThrowIfNull(next);
        var result = await _inner.ReplaceAsync(key, WithDocument(current, default), Seal(key, next), cancellationToken).ConfigureAwait(false);
        return Answer(key, result, next);
    }

    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(current);
        var result = await _inner.TouchAsync(key, WithDocument(current, default), expiresAt, cancellationToken).ConfigureAwait(false);
        return Answer(key, result, current);
    }

    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        var result = await _inner.DeleteAsync(key, current is null ? null : WithDocument(current, default), cancellationToken).ConfigureAwait(false);
        return Answer(key, result, current);
    }

    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> FindAsync(string label, CancellationToken cancellationToken) =>
        OpenAll(await Index.FindAsync(label, cancellationToken).ConfigureAwait(false));

    public async ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> PageAsync(string? afterKey, int limit, CancellationToken cancellationToken) =>
        OpenAll(await Index.PageAsync(afterKey, limit, cancellationToken).ConfigureAwait(false));

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => Index.CountAsync(cancellationToken);

    public ValueTask<long> DeleteByLabelAsync(string label, CancellationToken cancellationToken) => Index.DeleteByLabelAsync(label, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_inner is IAsyncDisposable asyncDisposable)
        {
            await asyncDisposable.DisposeAsync().ConfigureAwait(false);
        }
        else
        {
            (_inner as IDisposable)?.Dispose();
        }
    }

    private ISessionIndex Index => _inner.As<ISessionIndex>() ?? throw new NotSupportedException($"{_inner.GetType().Name} is no {nameof(ISessionIndex)}.");

    private static OptionsValidationException Refused(string problem) => new(nameof(SessionEncryptionOptions), typeof(SessionEncryptionOptions), [problem]);

    private static SessionRecord WithDocument(SessionRecord record, ReadOnlyMemory<byte> document) =>
        new(document, record.ExpiresAt, record.Labels, record.Version);

    private SessionRecord Seal(string key, SessionRecord record) => WithDocument(record, SealedDocument.Seal(record.Document.Span, key, _keys.Current));

    private SessionRecord Open(string key, SessionRecord stored)
    {
        if (_allowPlaintext && !SealedDocument.IsSealed(stored.Document.Span))
        {
            return stored;
        }

        var document = SealedDocument.Open(stored.Document.Span, key, _keys, out var reason);
        if (document is null)
        {
            _metrics.DocumentRefused(reason);
            _logger.DocumentRefused(key[..Math.Min(8, key.Length)], reason);
        }

        return WithDocument(stored, document);
    }

    private List<KeyValuePair<string, SessionRecord>> OpenAll(IReadOnlyList<KeyValuePair<string, SessionRecord>> stored) =>
        [.. stored.Select(record => KeyValuePair.Create(record.Key, Open(record.Key, record.Value)))];

    /// <summary>The other store's answer, with documents in clear: what was written is known, what is there instead is opened.</summary>
    private WriteResult Answer(string key, WriteResult result, SessionRecord? written) => (result.Outcome, result.Record) switch
    {
        (WriteOutcome.Done, { } stored) when written is not null => WriteResult.Done(new(written.Document, stored.ExpiresAt, stored.Labels, stored.Version)),
        (WriteOutcome.Conflict, { } fresh) => WriteResult.Conflict(Open(key, fresh)),
        _ => result,
    };
}
