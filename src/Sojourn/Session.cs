using System.Text.Json.Serialization.Metadata;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>
/// What one visitor's requests share: entries by name, an id, two deadlines. Read from the store once, before the handler; what the
/// request changes is stored before the first byte of its response, entry by entry, so that parallel requests never lose each other's work.
/// </summary>
/// <remarks>May be used by parallel tasks of one request. Objects that it hands out are the application's to guard.</remarks>
public sealed partial class Session
{
    private readonly Lock _sync = new();
    private readonly ISessionOperations _operations;
    private readonly ISessionHost? _host;
    private readonly List<Change> _changes = [];
    private readonly List<WatchedObject> _watched = [];
    private Dictionary<string, ReadOnlyMemory<byte>>? _flashesRead;
    private HashSet<string>? _flashesSet;
    private SessionDocument _document;
    private SessionMetadata? _metadata;
    private SessionCookie? _cookie;
    private SessionCookie? _cookieSeen;
    private string? _id;
    private string? _key;

    /// <summary>A session that no request before has stored.</summary>
    internal Session(ISessionOperations operations, ISessionHost? host)
    {
        _operations = operations;
        _host = host;
        _document = new SessionDocument();
        IsNew = true;
    }

    /// <summary>A session as it was read.</summary>
    internal Session(ISessionOperations operations, ISessionHost? host, string id, string key, SessionRecord record, SessionDocument document, SessionMetadata metadata)
    {
        _operations = operations;
        _host = host;
        _id = id;
        _key = key;
        _document = document;
        _metadata = metadata;
        Record = record;
    }

    /// <summary>The id: whoever knows it is the visitor. Never log it, and never show it; <see cref="Handle"/> is for that.</summary>
    public string Id
    {
        get
        {
            lock (_sync)
            {
                MarkUsed();
                return _id ??= SessionId.New();
            }
        }
    }

    /// <summary>
    /// A random name of the session that stays the same when the id is renewed, and opens nothing: for lists, logs and links.
    /// Made at the first use, and saved with the session.
    /// </summary>
    public string Handle
    {
        get
        {
            lock (_sync)
            {
                MarkUsed();
                if (Metadata.Handle is { } handle)
                {
                    return handle;
                }

                var made = SessionId.NewHandle();
                if (IsReadOnly || State != SessionState.Live)
                {
                    return made;
                }

                Do(new MetadataChange(metadata => metadata with { Handle = metadata.Handle ?? made }));
                return Metadata.Handle!;
            }
        }
    }

    /// <summary>Whether the visitor came without a session. Stays true until the request ends.</summary>
    public bool IsNew { get; private set; }

    /// <summary>Whom the session belongs to, as given to <see cref="RenewIdAsync(string, CancellationToken)"/>; <see langword="null"/> when nobody is signed in.</summary>
    public string? Subject => Read(static session => session.Metadata.Subject);

    /// <summary>When the session was made; <see langword="null"/> where a Node application made it, which does not say.</summary>
    public DateTimeOffset? CreatedAt => Read(static session => session.IsNew && session.Record is null ? session._operations.Time.GetUtcNow() : session.Metadata.CreatedAt);

    /// <summary>When the session was last used before this request, to within the touch interval; follows from the stored expiry.</summary>
    public DateTimeOffset LastSeenAt => Read(static session =>
        session.Record is { } record ? record.ExpiresAt - session._operations.Options.IdleTimeout : session._operations.Time.GetUtcNow());

    /// <summary>When the session ends unless it is used before.</summary>
    public DateTimeOffset ExpiresAt => Read(static session => session.Record?.ExpiresAt ?? session.FreshExpiry(session._operations.Time.GetUtcNow()));

    /// <summary>When the session ends whatever its use; <see langword="null"/> when it has no such deadline.</summary>
    public DateTimeOffset? AbsoluteExpiresAt => Read(static session => session.Metadata.AbsoluteExpiresAt ?? (session.Record is null ? session.NewAbsoluteDeadline() : null));

    /// <summary>The session's own cookie attributes. A change is saved and sent with the response.</summary>
    public SessionCookie Cookie
    {
        get
        {
            lock (_sync)
            {
                MarkUsed();
                return CookieUnlocked;
            }
        }
    }

    /// <summary>The names of the entries, in the order in which they were first set.</summary>
    public IReadOnlyList<string> Names => Read(static session => session._document.Names().FindAll(name => session.TryOpen(name, out _)));

    /// <summary>Whether an entry of this name is there.</summary>
    /// <param name="name">The entry's name.</param>
    /// <exception cref="ArgumentException">No entry can have this name.</exception>
    public bool Contains(string name)
    {
        EntryName.Require(name);
        lock (_sync)
        {
            MarkUsed();
            return TryOpen(name, out _);
        }
    }

    /// <summary>Reads an entry. One object is handed out for each entry and type; changed in place, it is saved without <see cref="Set{T}(string, T)"/>.</summary>
    /// <typeparam name="T">What to read it as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <returns>The value, or the type's default when there is no such entry.</returns>
    /// <exception cref="ArgumentException">No entry can have this name.</exception>
    /// <exception cref="SessionEntryException">The entry cannot be read as this type; it is kept.</exception>
    public T? Get<T>(string name) => TryGet<T>(name, out var value) ? value : default;

    /// <inheritdoc cref="Get{T}(string)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="type">How the value is read, for native AOT.</param>
    public T? Get<T>(string name, JsonTypeInfo<T> type) => TryGet(name, type, out var value) ? value : default;

    /// <summary>Reads an entry if it is there; otherwise as <see cref="Get{T}(string)"/>.</summary>
    /// <typeparam name="T">What to read it as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="value">The value, or the type's default.</param>
    /// <returns>Whether the entry is there.</returns>
    public bool TryGet<T>(string name, out T? value) => TryGet(name, TypeOf<T>(), out value);

    /// <inheritdoc cref="TryGet{T}(string, out T)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="type">How the value is read, for native AOT.</param>
    /// <param name="value">The value, or the type's default.</param>
    public bool TryGet<T>(string name, JsonTypeInfo<T> type, out T? value)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        lock (_sync)
        {
            MarkUsed();
            return TryGetUnlocked(name, type, out value);
        }
    }

    /// <summary>Sets an entry. An object is looked at again at commit, so that later changes to it are saved as well.</summary>
    /// <typeparam name="T">What it is written as.</typeparam>
    /// <param name="name">The entry's name: 1 to 256 characters, not starting with <c>$</c>, not <c>cookie</c>, <c>__proto__</c> or <c>_sojourn</c>.</param>
    /// <param name="value">The value; <see langword="null"/> is stored as JSON null.</param>
    /// <exception cref="ArgumentException">No entry can have this name.</exception>
    /// <exception cref="SessionEntryException">The value cannot be written as JSON.</exception>
    /// <exception cref="InvalidOperationException">The session is read-only or destroyed, or is new and the response has started.</exception>
    public void Set<T>(string name, T value) => Set(name, value, TypeOf<T>());

    /// <inheritdoc cref="Set{T}(string, T)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="value">The value.</param>
    /// <param name="type">How the value is written, for native AOT.</param>
    public void Set<T>(string name, T value, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        var utf8 = EntryValue.Write(name, value, type);
        lock (_sync)
        {
            SetUnlocked(name, utf8);
            if (value is not null && !ValueKind<T>.IsImmutable)
            {
                _watched.Add(new WatchedObject(name, value, type, utf8, isOurWriting: true));
            }
        }
    }

    /// <summary>Removes an entry.</summary>
    /// <param name="name">The entry's name.</param>
    /// <returns>Whether it was there.</returns>
    /// <exception cref="ArgumentException">No entry can have this name.</exception>
    /// <exception cref="InvalidOperationException">The session is read-only or destroyed.</exception>
    public bool Remove(string name)
    {
        EntryName.Require(name);
        lock (_sync)
        {
            RequireWritable();
            StopWatching(name);
            if (!_document.TryGet(name, out _))
            {
                return false;
            }

            Do(new RemoveChange(name));
            return true;
        }
    }

    /// <summary>Removes all entries that this request sees; one that another request adds meanwhile stays. The session itself lives on.</summary>
    /// <exception cref="InvalidOperationException">The session is read-only or destroyed.</exception>
    public void Clear()
    {
        lock (_sync)
        {
            RequireWritable();
            _watched.Clear();
            _flashesRead = null;
            var names = _document.Names();
            if (names.Count > 0)
            {
                Do(new ClearChange(names));
            }
        }
    }

    /// <summary>
    /// Changes an entry by a function, atomically at commit: where another request changed the session meanwhile, the function runs again on
    /// the fresh value, so that no increment is ever lost. An object that <see cref="Get{T}(string)"/> handed out before is saved first, and
    /// belongs to the session no more.
    /// </summary>
    /// <typeparam name="T">What the entry is read and written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value, or the type's default, to the new value. Pure: it runs at once, and again after each conflict.</param>
    /// <exception cref="ArgumentException">No entry can have this name.</exception>
    /// <exception cref="SessionEntryException">The entry cannot be read as this type, or the new value not be written.</exception>
    /// <exception cref="InvalidOperationException">The session is read-only or destroyed, or is new and the response has started.</exception>
    public void Update<T>(string name, Func<T?, T?> update) => Update(name, update, TypeOf<T>());

    /// <inheritdoc cref="Update{T}(string, Func{T, T})"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value to the new value.</param>
    /// <param name="type">How the value is read and written, for native AOT.</param>
    public void Update<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type) => AddUpdate(name, update, type);

    /// <summary>As <see cref="Update{T}(string, Func{T, T})"/>, saved at once with everything else that the request has changed.</summary>
    /// <typeparam name="T">What the entry is read and written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value to the new value. Pure.</param>
    /// <param name="cancellationToken">Ends the wait for the store; whether the change is stored is then not known.</param>
    /// <returns>The value as it was stored.</returns>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask<T?> UpdateAsync<T>(string name, Func<T?, T?> update, CancellationToken cancellationToken = default) =>
        UpdateAsync(name, update, TypeOf<T>(), cancellationToken);

    /// <inheritdoc cref="UpdateAsync{T}(string, Func{T, T}, CancellationToken)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value to the new value. Pure.</param>
    /// <param name="type">How the value is read and written, for native AOT.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    public async ValueTask<T?> UpdateAsync<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        var change = AddUpdate(name, update, type);
        await _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken).ConfigureAwait(false);
        return EntryValue.Read(name, change.Result, type);
    }

    /// <summary>Reads an entry and removes it at commit. Of parallel requests each may read it; <see cref="PopAsync{T}(string, CancellationToken)"/> gives it to one.</summary>
    /// <typeparam name="T">What to read it as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <returns>The value, or the type's default when there is no such entry.</returns>
    public T? Pop<T>(string name) => Pop(name, TypeOf<T>());

    /// <inheritdoc cref="Pop{T}(string)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="type">How the value is read, for native AOT.</param>
    public T? Pop<T>(string name, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        lock (_sync)
        {
            RequireWritable();
            TryGetUnlocked(name, type, out var value);
            Remove(name);
            return value;
        }
    }

    /// <summary>Takes an entry out of the stored session at once, with everything else that the request has changed. Of parallel calls one gets the value.</summary>
    /// <typeparam name="T">What to read it as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="cancellationToken">Ends the wait for the store; whether the entry is removed is then not known.</param>
    /// <returns>The value as it was stored, or the type's default when there was no such entry.</returns>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask<T?> PopAsync<T>(string name, CancellationToken cancellationToken = default) => PopAsync(name, TypeOf<T>(), cancellationToken);

    /// <inheritdoc cref="PopAsync{T}(string, CancellationToken)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="type">How the value is read, for native AOT.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    public async ValueTask<T?> PopAsync<T>(string name, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        var change = new RemoveChange(name);
        lock (_sync)
        {
            RequireWritable();
            SaveWatched(name);
            Do(change);
        }

        await _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken).ConfigureAwait(false);
        return change.Removed.IsEmpty ? default : EntryValue.Read(name, Envelope.Open(change.Removed).Value.Span, type);
    }

    /// <summary>Sets an entry that is gone after the next request that reads it.</summary>
    /// <typeparam name="T">What it is written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="value">The value.</param>
    public void Flash<T>(string name, T value) => Flash(name, value, TypeOf<T>());

    /// <inheritdoc cref="Flash{T}(string, T)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="value">The value.</param>
    /// <param name="type">How the value is written, for native AOT.</param>
    public void Flash<T>(string name, T value, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        var utf8 = Envelope.Flash(EntryValue.Write(name, value, type));
        lock (_sync)
        {
            SetUnlocked(name, utf8);
            (_flashesSet ??= new(StringComparer.Ordinal)).Add(name);
        }
    }

    /// <summary>
    /// A value that is fetched once and kept with the session until its lifetime ends. Tasks of one request that ask at the same time share one fetch.
    /// An object that it returns is not watched for changes.
    /// </summary>
    /// <typeparam name="T">What it is read and written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="factory">Fetches the value; what it throws is thrown to every waiting caller, and nothing is kept.</param>
    /// <param name="lifetime">How long the value is good for; more than zero.</param>
    /// <param name="cancellationToken">Handed to the factory.</param>
    /// <returns>The value kept or fetched.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The lifetime is not more than zero.</exception>
    public ValueTask<T?> GetOrCreateAsync<T>(
        string name, Func<CancellationToken, ValueTask<T?>> factory, TimeSpan lifetime, CancellationToken cancellationToken = default) =>
        GetOrCreateAsync(name, factory, lifetime, TypeOf<T>(), cancellationToken);

    /// <inheritdoc cref="GetOrCreateAsync{T}(string, Func{CancellationToken, ValueTask{T}}, TimeSpan, CancellationToken)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="factory">Fetches the value.</param>
    /// <param name="lifetime">How long the value is good for; more than zero.</param>
    /// <param name="type">How the value is read and written, for native AOT.</param>
    /// <param name="cancellationToken">Handed to the factory.</param>
    public async ValueTask<T?> GetOrCreateAsync<T>(
        string name, Func<CancellationToken, ValueTask<T?>> factory, TimeSpan lifetime, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lifetime, TimeSpan.Zero);
        if (TryGet(name, type, out var kept))
        {
            return kept;
        }

        TaskCompletionSource<object?>? ours = null;
        Task<object?> fetch;
        lock (_sync)
        {
            _fetches ??= new(StringComparer.Ordinal);
            if (!_fetches.TryGetValue(name, out fetch!))
            {
                RequireWritable();
                ours = new TaskCompletionSource<object?>(TaskCreationOptions.RunContinuationsAsynchronously);
                _fetches.Add(name, fetch = ours.Task);
            }
        }

        if (ours is null)
        {
            return (T?)await fetch.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        try
        {
            var value = await factory(cancellationToken).ConfigureAwait(false);
            var utf8 = Envelope.Kept(EntryValue.Write(name, value, type), _operations.Time.GetUtcNow() + lifetime);
            lock (_sync)
            {
                SetUnlocked(name, utf8);
                _fetches!.Remove(name);
            }

            ours.SetResult(value);
            return value;
        }
        catch (Exception e)
        {
            lock (_sync)
            {
                _fetches!.Remove(name);
            }

            ours.SetException(e);

            // Nobody else may be waiting: an exception that nobody looks at must not be reported as unobserved.
            _ = fetch.Exception;
            throw;
        }
    }

    /// <summary>Saves what the request has changed so far, and an untouched new session as well. Needed only before something outside the response depends on it.</summary>
    /// <param name="cancellationToken">Ends the wait for the store; whether the changes are stored is then not known.</param>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="SessionTooLargeException">The session would not fit; the stored session is unchanged.</exception>
    public ValueTask SaveAsync(CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            RequireWritable();
        }

        return _operations.SaveAsync(this, evenIfEmpty: true, cancellationToken);
    }

    /// <summary>Drops what the request has changed and not saved, and reads the session afresh.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionEndedException">The session is not there any more.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask ReloadAsync(CancellationToken cancellationToken = default) => _operations.ReloadAsync(this, cancellationToken);

    /// <summary>Moves the idle deadline at the end of this request, however fresh it is.</summary>
    public void Touch()
    {
        lock (_sync)
        {
            IsTouchAsked = true;
        }
    }

    /// <summary>Destroys the session and begins an empty one under a new id: express-session's regenerate.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or the session is read-only.</exception>
    public ValueTask RegenerateAsync(CancellationToken cancellationToken = default) => WithNewId(static (session, cancellationToken) =>
        session._operations.RegenerateAsync(session, cancellationToken), cancellationToken);

    /// <summary>Gives the session a new id and keeps its data. The old id is dead when this returns.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or the session is read-only.</exception>
    public ValueTask RenewIdAsync(CancellationToken cancellationToken = default) => WithNewId(static (session, cancellationToken) =>
        session._operations.RenewIdAsync(session, null, cancellationToken), cancellationToken);

    /// <summary>
    /// Signs a user in: gives the session a new id, keeps its data, sets <see cref="Subject"/>, and begins the absolute deadline anew.
    /// The old id is dead when this returns.
    /// </summary>
    /// <param name="subject">Whom the session belongs to from now on; 1 to 256 characters.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="ArgumentException">The subject is empty or too long.</exception>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or the session is read-only.</exception>
    public async ValueTask RenewIdAsync(string subject, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        if (subject.Length > 256)
        {
            throw new ArgumentException("A subject has 1 to 256 characters.", nameof(subject));
        }

        RequireNewIdPossible();
        await _operations.RenewIdAsync(this, subject, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Destroys the session: its record is gone when this returns, its id never answers again, the browser's cookie is cleared.</summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionStoreException">The store failed: the session may still be there.</exception>
    /// <exception cref="InvalidOperationException">The session is read-only.</exception>
    public ValueTask DestroyAsync(CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            RequireNotReadOnly();
        }

        return _operations.DestroyAsync(this, cancellationToken);
    }

    /// <summary>Forgets the session for the rest of the request, as setting <c>req.session</c> to null does; what becomes of the stored one is for <see cref="SojournOptions.Unset"/> to say.</summary>
    /// <exception cref="InvalidOperationException">The session is read-only.</exception>
    public void Unset()
    {
        lock (_sync)
        {
            RequireNotReadOnly();
            if (State == SessionState.Live)
            {
                State = SessionState.Unset;
                DropPending();
                _document = new SessionDocument();
            }
        }
    }

    private ValueTask WithNewId(Func<Session, CancellationToken, ValueTask> verb, CancellationToken cancellationToken)
    {
        RequireNewIdPossible();
        return verb(this, cancellationToken);
    }

    private T Read<T>(Func<Session, T> read)
    {
        lock (_sync)
        {
            MarkUsed();
            return read(this);
        }
    }
}
