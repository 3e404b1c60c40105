using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Storage;
using Sojourn.Storage.NearCache;

namespace Sojourn;

/// <summary>The store as the manager calls it: no call takes longer than it may, and every failure is a <see cref="SessionStoreException"/>.</summary>
internal sealed class TimedStore(ISessionStore store, TimeSpan timeout, TimeProvider time, SessionMetrics metrics)
{
    private readonly INearCache? _nearCache = store.As<INearCache>();
    private readonly MemorySessionStore? _memory = store as MemorySessionStore;

    /// <summary>Whether <see cref="FindCopy"/> and <see cref="ReadNearAsync"/> may give what has changed since.</summary>
    public bool KeepsCopies => _nearCache is not null;

    /// <summary>Whether the store is in the memory of this process, and hands out the very records that it holds.</summary>
    public bool HandsOutItsOwn => _memory is not null;

    /// <summary>
    /// A read of a session that was read before, where the store <see cref="HandsOutItsOwn"/> or <see cref="KeepsCopies"/>, and is not searched.
    /// </summary>
    /// <returns>The document's record, if that is what a read would give; otherwise <see langword="null"/>, and it is to be read.</returns>
    public SessionRecord? FindHeld(SessionDocument document)
    {
        if (_memory is null)
        {
            return document.Copy is { } copy && _nearCache?.HasCopy(copy) == true ? copy.Record : null;
        }

        if (document.Record is not { IsHeld: true } record)
        {
            return null;
        }

        metrics.StoreCalled("read");
        return record;
    }

    /// <summary>Replaces a record where the store <see cref="HandsOutItsOwn"/>, by a new one that becomes the store's own.</summary>
    /// <returns>False where another one is there, or none.</returns>
    public bool TryReplaceHeld(string key, SessionRecord current, SessionRecord next)
    {
        metrics.StoreCalled("replace");
        return _memory!.TryReplaceHeld(key, current, next);
    }

    /// <summary>What the store can do besides; to be called by <see cref="CallAsync"/>.</summary>
    public T? As<T>()
        where T : class => store.As<T>();

    /// <summary>Calls what the store can do besides.</summary>
    public ValueTask<T> CallAsync<T>(string verb, Func<CancellationToken, ValueTask<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(call(cancellationToken), verb, cancellationToken);
        }
        catch (Exception e) when (e is not NotSupportedException && IsFailure(e, cancellationToken))
        {
            throw Failed(verb, e);
        }
    }

    /// <summary>Reads what is stored, past any copy.</summary>
    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(_nearCache?.ReadStoredAsync(key, cancellationToken) ?? store.ReadAsync(key, cancellationToken), "read", cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed("read", e);
        }
    }

    /// <summary>
    /// The copy of a key, where the store keeps copies and has one: good enough for what a request begins from, since its commit meets a conflict where the
    /// copy is old.
    /// </summary>
    public NearCopy? FindCopy(string key) => _nearCache?.FindCopy(key);

    /// <summary>Reads what is stored, or what somebody else is reading just now: as good as a copy.</summary>
    public ValueTask<SessionRecord?> ReadNearAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(store.ReadAsync(key, cancellationToken), "read", cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed("read", e);
        }
    }

    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(store.CreateAsync(key, record, cancellationToken), "create", cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed("create", e);
        }
    }

    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(store.ReplaceAsync(key, current, next, cancellationToken), "replace", cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed("replace", e);
        }
    }

    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(store.TouchAsync(key, current, expiresAt, cancellationToken), "touch", cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed("touch", e);
        }
    }

    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        try
        {
            return TimedAsync(store.DeleteAsync(key, current, cancellationToken), "delete", cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed("delete", e);
        }
    }

    private static bool IsFailure(Exception e, CancellationToken cancellationToken) =>
        e is not SessionStoreException && !(e is OperationCanceledException && cancellationToken.IsCancellationRequested);

    /// <summary>A call that is answered at once, as the memory store's, costs no more than the call.</summary>
    private ValueTask<T> TimedAsync<T>(ValueTask<T> call, string verb, CancellationToken cancellationToken)
    {
        metrics.StoreCalled(verb);
        return call.IsCompletedSuccessfully ? call : WaitAsync(call.AsTask(), verb, cancellationToken);
    }

    private async ValueTask<T> WaitAsync<T>(Task<T> call, string verb, CancellationToken cancellationToken)
    {
        var began = metrics.MeasuresStore ? time.GetTimestamp() : 0;
        try
        {
            return await call.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e) when (!call.IsCompleted)
        {
            metrics.StoreFailed(verb);
            throw new SessionStoreException(
                $"The session store did not answer the {verb} within {timeout.TotalSeconds:0.###} s. Whether it was done is not known.", e);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw Failed(verb, e);
        }
        finally
        {
            if (began != 0)
            {
                metrics.StoreAnswered(verb, time.GetElapsedTime(began));
            }
        }
    }

    private SessionStoreException Failed(string verb, Exception e)
    {
        metrics.StoreFailed(verb);
        return new SessionStoreException($"The session store failed at the {verb}.", e);
    }
}
