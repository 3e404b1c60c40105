using System.Collections.Immutable;
using System.Text.Json.Serialization.Metadata;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>Where a session is in its life.</summary>
internal enum SessionState
{
    Live,

    /// <summary>Forgotten by its own request; see <see cref="SojournOptions.Unset"/>.</summary>
    Unset,

    /// <summary>Destroyed by its own request.</summary>
    Destroyed,

    /// <summary>Found to be gone: destroyed, ended or renewed by somebody else.</summary>
    Ended,
}

/// <summary>The session's inside: what the verbs share, and what the session manager works on.</summary>
public sealed partial class Session
{
    private Dictionary<string, Task<object?>>? _fetches;

    internal SessionState State { get; private set; }

    /// <summary>The record as this request last knew it; <see langword="null"/> while nothing is stored.</summary>
    internal SessionRecord? Record { get; private set; }

    /// <summary>A record that this request created, whose version only the store knows.</summary>
    internal bool IsVersionUnknown { get; private set; }

    /// <summary>Why the outcome of a commit is not known: nothing more is saved, and every further try says so.</summary>
    internal SessionStoreException? Failure { get; set; }

    /// <summary>Whether the request looked at the session at all: if so, its response is not for shared caches.</summary>
    internal bool WasUsed { get; private set; }

    internal bool IsTouchAsked { get; private set; }

    /// <summary>Whether this request wrote the record or moved its expiry.</summary>
    internal bool WasWritten { get; private set; }

    /// <summary>Whether this request changed the cookie's attributes.</summary>
    internal bool HasChangedCookie { get; private set; }

    internal bool IsReadOnly { get; set; }

    /// <summary>Whether the session goes by this id, asked without looking at it on anybody's behalf.</summary>
    internal bool IsCalled(string? id) => string.Equals(_id, id, StringComparison.Ordinal);

    internal string Key
    {
        get
        {
            lock (_sync)
            {
                return _key ??= _operations.KeyOf(_id ??= SessionId.New());
            }
        }
    }

    private SessionMetadata Metadata => _metadata ??= SessionMetadata.Parse(_document.Metadata) ?? SessionMetadata.None;

    private SessionCookie CookieUnlocked
    {
        get
        {
            if (_cookie is null)
            {
                _cookie = Record is null && _document.Cookie.IsEmpty ? NewCookie() : CookieJson.Parse(_document.Cookie.Span);
                _cookieSeen = _cookie with { };
            }

            return _cookie;
        }
    }

    /// <summary>Whether the browser is told how long to keep the cookie, and so is to be told again when the session is written.</summary>
    internal bool HasMaxAge => (_cookie is not null || !CookieJson.IsBrowserLength(_document.Cookie.Span)) && CookieUnlocked.MaxAge is not null;

    /// <summary>The destroyed session's cookie as it was stored: it is cleared with the very attributes it was set with.</summary>
    internal SessionCookie? DestroyedCookie { get; private set; }

    internal DateTimeOffset FreshExpiry(DateTimeOffset now) =>
        Deadlines.ExpiresAt(now, _operations.Options.IdleTimeout, Metadata.AbsoluteExpiresAt ?? (Record is null ? NewAbsoluteDeadline() : null));

    /// <summary>Whether there is anything to save. Looks at the objects that were handed out.</summary>
    internal bool CollectChanges()
    {
        lock (_sync)
        {
            if (State is SessionState.Unset or SessionState.Destroyed)
            {
                return false;
            }

            if (_flashesRead is not null)
            {
                foreach (var (name, seen) in _flashesRead)
                {
                    Do(new FlashReadChange(name, seen));
                }

                _flashesRead = null;
            }

            CollectWatched();
            if (_cookie is not null && _cookie != _cookieSeen)
            {
                RequireWritable();
                HasChangedCookie = true;
                _cookieSeen = _cookie with { };
                Do(new CookieChange(CookieJson.Write(_cookie, _operations.Time.GetUtcNow())));
            }

            return _changes.Count > 0;
        }
    }

    /// <summary>The record to store, and how many changes are in it.</summary>
    internal (SessionRecord Record, int Changes) TakeBatch(DateTimeOffset now)
    {
        lock (_sync)
        {
            CollectChanges();
            EnsureBegun();
            if (HasMaxAge)
            {
                // The browser is told anew how long to keep the cookie, and so is whoever reads the record.
                _document.Cookie = CookieJson.Write(CookieUnlocked, now);
            }

            var length = _document.Length;
            if (length > _operations.Options.MaxDocumentBytes)
            {
                throw new SessionTooLargeException(length, _operations.Options.MaxDocumentBytes);
            }

            return (new SessionRecord(_document.ToUtf8(), FreshExpiry(now), Labels()), _changes.Count);
        }
    }

    /// <summary>Whether a new session is worth a record: nothing is stored before the first entry is set.</summary>
    internal bool IsWorthStoring
    {
        get
        {
            lock (_sync)
            {
                return Record is not null || !_document.IsEmpty || Metadata.Subject is not null || _operations.Options.SaveUninitialized;
            }
        }
    }

    /// <summary>The first <paramref name="changes"/> changes are in the record now; later ones are still to be saved.</summary>
    internal void MarkStored(SessionRecord record, int changes, bool isVersionUnknown)
    {
        lock (_sync)
        {
            Record = record;
            IsVersionUnknown = isVersionUnknown;
            WasWritten = true;
            _changes.RemoveRange(0, changes);
        }
    }

    internal void MarkTouched(SessionRecord record)
    {
        lock (_sync)
        {
            Record = record;
            WasWritten = true;
            IsTouchAsked = false;
        }
    }

    /// <summary>Takes a fresh record and does the request's changes to it.</summary>
    internal void Rebase(SessionRecord fresh)
    {
        lock (_sync)
        {
            var document = SessionDocument.Parse(fresh.Document)
                ?? throw new SessionStoreException("The stored session became unreadable while the request ran.");
            foreach (var change in _changes)
            {
                change.Apply(document);
            }

            Record = fresh;
            IsVersionUnknown = false;
            _document = document;
            _metadata = null;
        }
    }

    /// <summary>Forgets what is not saved, as for a handler that threw.</summary>
    internal void Discard()
    {
        lock (_sync)
        {
            DropPending();
            Failure = null;
            if (State == SessionState.Live)
            {
                _document = Record is null ? new SessionDocument() : SessionDocument.Parse(Record.Document) ?? new SessionDocument();
                _metadata = null;
                _cookie = null;
            }
        }
    }

    internal void MarkReloaded(SessionRecord fresh)
    {
        lock (_sync)
        {
            State = SessionState.Live;
            Discard();
            Rebase(fresh);
        }
    }

    internal void MarkEnded()
    {
        lock (_sync)
        {
            State = SessionState.Ended;
        }
    }

    internal void MarkDestroyed()
    {
        lock (_sync)
        {
            State = SessionState.Destroyed;
            if (Record is not null)
            {
                DestroyedCookie ??= CookieJson.Parse((SessionDocument.Parse(Record.Document) ?? new SessionDocument()).Cookie.Span);
            }

            DropPending();
            _document = new SessionDocument();
            _metadata = SessionMetadata.None;
        }
    }

    /// <summary>Begins an empty session under a new id in place of this one.</summary>
    internal void BeginAnew()
    {
        lock (_sync)
        {
            MarkDestroyed();
            State = SessionState.Live;
            Record = null;
            IsVersionUnknown = false;
            IsNew = true;
            Failure = null;
            _cookie = null;
            _cookieSeen = null;
            _metadata = null;
            _id = SessionId.New();
            _key = null;
        }
    }

    /// <summary>Takes the new id; the record, if there is one, has been created under it.</summary>
    internal void TakeId(string id, string key)
    {
        lock (_sync)
        {
            _id = id;
            _key = key;
        }
    }

    internal void SetSubject(string subject)
    {
        lock (_sync)
        {
            var absolute = NewAbsoluteDeadline();
            Do(new MetadataChange(metadata => metadata with { Subject = subject, AbsoluteExpiresAt = absolute }));
        }
    }

    /// <summary>What ASP.NET Core's own session calls commit: an untouched new session stays unstored.</summary>
    internal ValueTask SaveIfChangedAsync(CancellationToken cancellationToken) => _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken);

    internal bool TryGetRaw(string name, out ReadOnlyMemory<byte> value)
    {
        lock (_sync)
        {
            MarkUsed();
            CollectWatched();
            if (!TryOpen(name, out value))
            {
                return false;
            }

            NoteHandedOut(name, value, mutable: null, null!);
            return true;
        }
    }

    internal void SetRaw(string name, byte[] utf8)
    {
        lock (_sync)
        {
            SetUnlocked(name, utf8);
        }
    }

    private void MarkUsed()
    {
        if (!WasUsed)
        {
            WasUsed = true;
            _host?.OnUsed();
        }
    }

    /// <summary>Does a change to the request's own document and remembers it for the commit. A change that throws is not remembered.</summary>
    private void Do(Change change)
    {
        RequireWritable();
        EnsureBegun();
        change.Apply(_document);
        _changes.Add(change);
        if (change is MetadataChange)
        {
            _metadata = null;
        }
    }

    /// <summary>Gives a new session the members that it is stored with. Not before they are needed: most new sessions are never stored.</summary>
    private void EnsureBegun()
    {
        if (Record is null && _document.Cookie.IsEmpty)
        {
            var now = _operations.Time.GetUtcNow();
            _document.Cookie = CookieJson.Write(CookieUnlocked, now);
            _document.Metadata = new SessionMetadata { CreatedAt = now, AbsoluteExpiresAt = NewAbsoluteDeadline() }.ToUtf8();
            _metadata = null;
        }
    }

    private SessionCookie NewCookie() => _host?.NewCookie() ?? _operations.Options.Cookie.ToSessionCookie(isSecure: _operations.Options.Cookie.Secure != CookieSecure.Never);

    private DateTimeOffset? NewAbsoluteDeadline() =>
        _operations.Options.AbsoluteTimeout is { } timeout ? _operations.Time.GetUtcNow() + timeout : null;

    private ImmutableArray<string> Labels() => (Metadata.Subject, Metadata.Handle) switch
    {
        (null, null) => [],
        ({ } subject, null) => [SessionLabels.Subject(subject)],
        (null, { } handle) => [SessionLabels.Handle(handle)],
        ({ } subject, { } handle) => [SessionLabels.Subject(subject), SessionLabels.Handle(handle)],
    };

    private bool TryOpen(string name, out ReadOnlyMemory<byte> value)
    {
        if (!_document.TryGet(name, out var entry))
        {
            value = default;
            return false;
        }

        var envelope = Envelope.Open(entry);
        value = envelope.Value;
        return envelope.Until is not { } until || until > _operations.Time.GetUtcNow();
    }

    private bool TryGetUnlocked<T>(string name, JsonTypeInfo<T> type, out T? value)
    {
        if (FindWatched(name, typeof(T)) is { } instance)
        {
            value = (T)instance;
            return true;
        }

        if (!TryOpen(name, out var utf8))
        {
            value = default;
            return false;
        }

        value = EntryValue.Read(name, utf8.Span, type);
        NoteHandedOut(name, utf8, ValueKind<T>.IsImmutable ? null : value, type);
        return true;
    }

    /// <summary>As Get, for a type that is known only when the program runs.</summary>
    internal object? GetObject(string name, Type type)
    {
        EntryName.Require(name);
        lock (_sync)
        {
            MarkUsed();
            if (FindWatched(name, type) is { } instance)
            {
                return instance;
            }

            if (!TryOpen(name, out var utf8))
            {
                return null;
            }

            var typeInfo = _operations.Options.GetJson().GetTypeInfo(type);
            var value = EntryValue.Read(name, utf8.Span, typeInfo);
            NoteHandedOut(name, utf8, value, typeInfo);
            return value;
        }
    }

    private object? FindWatched(string name, Type type)
    {
        foreach (var watched in _watched)
        {
            if (watched.Type == type && string.Equals(watched.Name, name, StringComparison.Ordinal))
            {
                return watched.Instance;
            }
        }

        return null;
    }

    /// <summary>Remembers what a read entails: a flash entry goes at commit, a mutable object is looked at again.</summary>
    private void NoteHandedOut(string name, ReadOnlyMemory<byte> utf8, object? mutable, JsonTypeInfo type)
    {
        _document.TryGet(name, out var entry);
        var isPlain = entry.Length == utf8.Length;
        if (isPlain)
        {
            if (mutable is not null)
            {
                _watched.Add(new WatchedObject(name, mutable, type, utf8, isOurWriting: false));
            }
        }
        else if (Envelope.Open(entry).IsFlash && !IsReadOnly && State == SessionState.Live && _flashesSet?.Contains(name) != true)
        {
            (_flashesRead ??= new(StringComparer.Ordinal))[name] = entry;
        }
    }

    private void SetUnlocked(string name, byte[] utf8)
    {
        RequireWritable();
        StopWatching(name);
        if (!_document.TryGet(name, out var current) || !current.Span.SequenceEqual(utf8))
        {
            Do(new SetChange(name, utf8));
        }
    }

    private UpdateChange<T> AddUpdate<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(update);
        ArgumentNullException.ThrowIfNull(type);
        var change = new UpdateChange<T>(name, update, type);
        lock (_sync)
        {
            RequireWritable();
            SaveWatched(name);
            Do(change);
        }

        return change;
    }

    /// <summary>Records in-place changes of one entry's objects, which then belong to the session no more.</summary>
    private void SaveWatched(string name)
    {
        CollectWatched();
        StopWatching(name);
    }

    private void CollectWatched()
    {
        List<WatchedObject>? changed = null;
        foreach (var watched in _watched)
        {
            if (watched.TakeChange() is not { } utf8)
            {
                continue;
            }

            if (changed?.Find(other => string.Equals(other.Name, watched.Name, StringComparison.Ordinal)) is { } twin)
            {
                throw new SessionEntryException(watched.Name, watched.Type, $"was changed as {twin.Type} too, and cannot be saved");
            }

            (changed ??= []).Add(watched);
            Do(new SetChange(watched.Name, utf8));
        }
    }

    private void StopWatching(string name)
    {
        if (_watched.Count > 0)
        {
            _watched.RemoveAll(watched => string.Equals(watched.Name, name, StringComparison.Ordinal));
        }
    }

    private void DropPending()
    {
        _changes.Clear();
        _watched.Clear();
        _flashesRead = null;
        _flashesSet = null;
        IsTouchAsked = false;
    }

    private JsonTypeInfo<T> TypeOf<T>() => (JsonTypeInfo<T>)_operations.Options.GetJson().GetTypeInfo(typeof(T));

    private void RequireNewIdPossible()
    {
        lock (_sync)
        {
            RequireNotReadOnly();
            if (_host is { CanSendCookie: false })
            {
                throw new InvalidOperationException("The response has started, so the new id cannot be sent to the visitor. Renew the id before the first byte is written.");
            }
        }
    }

    private void RequireWritable()
    {
        MarkUsed();
        RequireNotReadOnly();
        if (State is SessionState.Destroyed or SessionState.Unset)
        {
            throw new InvalidOperationException("This request has destroyed the session. Call RegenerateAsync to begin another.");
        }

        if (Record is null && _host is { CanSendCookie: false })
        {
            throw new InvalidOperationException(
                "The response has started, so the cookie of a new session cannot be sent to the visitor. Put something into the session before the first byte is written.");
        }
    }

    private void RequireNotReadOnly()
    {
        if (IsReadOnly)
        {
            throw new InvalidOperationException("This endpoint has the session read-only (WithReadOnlySession). Remove that to write.");
        }
    }
}
