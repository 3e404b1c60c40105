using Sojourn.Diagnostics;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn;

/// <content>What the session manager works on: the record, the changes still to be saved, and what became of them.</content>
public sealed partial class Session
{
    internal SessionState State { get; private set; }

    /// <summary>The record as this request last knew it; <see langword="null"/> while nothing is stored.</summary>
    internal SessionRecord? Record { get; private set; }

    /// <summary>Whether the session was read from a copy, which may be older than the request: what seems to be there already may not be.</summary>
    internal bool IsCopy { get; set; }

    /// <summary>A record that this request created, whose version only the store knows.</summary>
    internal bool IsVersionUnknown { get; private set; }

    /// <summary>Why the outcome of a commit is not known: nothing more is saved, and every further try says so.</summary>
    internal SessionStoreException? Failure { get; set; }

    /// <summary>Whether the request looked at the session at all: if so, its response is not for shared caches.</summary>
    internal bool WasUsed { get; private set; }

    internal bool IsTouchAsked { get; private set; }

    /// <summary>Whether this request wrote the record or moved its expiry.</summary>
    internal bool WasWritten { get; private set; }

    /// <summary>Whether this request changed what is stored, saved or not.</summary>
    internal bool WasModified { get; private set; }

    /// <summary>Whether this request changed the cookie's attributes.</summary>
    internal bool HasChangedCookie { get; private set; }

    internal bool IsReadOnly { get; set; }

    /// <summary>Whether the browser is told how long to keep the cookie, and so is to be told again when the session is written.</summary>
    internal bool HasMaxAge => (_cookie is not null || !CookieJson.IsBrowserLength(_document.Cookie.Span)) && CookieUnlocked.MaxAge is not null;

    /// <summary>The destroyed session's cookie as it was stored: it is cleared with the very attributes it was set with.</summary>
    internal SessionCookie? DestroyedCookie { get; private set; }

    internal DateTimeOffset FreshExpiry(DateTimeOffset now) =>
        Deadlines.ExpiresAt(now, Lifetime, Metadata.AbsoluteExpiresAt ?? (HasBegun ? null : NewAbsoluteDeadline()));

    /// <summary>Whether a write of the request is none of the user's, and leaves the deadline as it is stored.</summary>
    private bool IsNoActivity => Record is not null && !_hasSignedIn && !IsTouchAsked && !CountsAsActivity;

    /// <summary>Whether the session has the members that it is stored with.</summary>
    private bool HasBegun => Record is not null || !_document.Cookie.IsEmpty;

    /// <summary>How long the session lives without use.</summary>
    private TimeSpan Lifetime =>
        (_operations.LivesAsLongAsCookie && HasMaxAge ? CookieUnlocked.MaxAge : null) ?? Metadata.IdleTimeout ?? _operations.TimeToLive;

    /// <summary>How stale the stored expiry may become: where this session has a deadline of its own, by that one.</summary>
    internal TimeSpan TouchInterval => Deadlines.TouchInterval(_operations.Options.TouchInterval, Metadata.IdleTimeout ?? _operations.TimeToLive, Key);

    /// <summary>Until when the record that the session was read from asks nothing of whoever reads it.</summary>
    internal DateTimeOffset QuietUntil(DateTimeOffset stored, TimeSpan interval) =>
        Deadlines.QuietUntil(stored, Lifetime, interval, Metadata.AbsoluteExpiresAt);

    /// <summary>Whether a commit after the first could find anything to do: a change, an object to look at, something asked for.</summary>
    internal bool HasWork =>
        !_changes.IsEmpty
            || _watched is not null
            || _cookie is not null
            || _flashesRead is not null
            || IsTouchAsked
            || _isRegenerated
            || State != SessionState.Live
            || Failure is not null;

    /// <summary>Whether there is anything to save, and whether what has not changed is to be looked after.</summary>
    /// <returns>The latter is so at a request's first commit, or where a late <see cref="Touch"/> asks for it. Outside a request at every commit.</returns>
    internal (bool IsChanged, bool IsDue) BeginCommit()
    {
        // Most requests only read, and take no lock for that.
        var isChanged = HasWork && CollectChanges();
        var isDue = _host is null || !_hasCommitted || IsTouchAsked;
        _hasCommitted = true;
        return (isChanged, isDue);
    }

    /// <summary>Whether there is anything to save. Looks at the objects that were handed out.</summary>
    internal bool CollectChanges()
    {
        lock (_sync)
        {
            return CollectChangesUnlocked();
        }
    }

    private bool CollectChangesUnlocked()
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
            Do(new CookieChange(CookieJson.Write(_cookie)));
        }

        if (!_isRegenerated && (_changes.IsEmpty || (_operations.Options.IsExpress && !IsCopy && HasSameEntriesAsStored())))
        {
            return false;
        }

        WasModified = true;
        return true;
    }

    /// <summary>express-session saves what differs in the end: an entry that was set back counts for nothing, nor does a cookie's attribute alone.</summary>
    private bool HasSameEntriesAsStored() =>
        Record is null ? _document.IsEmpty : SessionDocument.Of(Record) is { } stored && _document.HasSameEntries(stored);

    /// <summary>The record to store, and the last of the changes that are in it.</summary>
    internal (SessionRecord Record, Change? Last) TakeBatch(DateTimeOffset now)
    {
        lock (_sync)
        {
            return TakeBatchUnlocked(now);
        }
    }

    private (SessionRecord Record, Change? Last) TakeBatchUnlocked(DateTimeOffset now)
    {
        CollectChangesUnlocked();
        EnsureBegun();
        if (HasMaxAge && !IsNoActivity)
        {
            // The browser is told anew how long to keep the cookie, and so is whoever reads the record.
            CookieUnlocked.Touch(now);
            OwnDocument().Cookie = CookieJson.Write(CookieUnlocked);
        }

        var length = _document.Length;
        if (length > _operations.Options.MaxDocumentBytes)
        {
            throw new SessionTooLargeException(length, _operations.Options.MaxDocumentBytes);
        }

        var expiresAt = IsNoActivity ? Record!.ExpiresAt : FreshExpiry(now);
        return (SessionRecord.OfWritten(OwnDocument().ToUtf8(length), expiresAt, LabelsUnlocked()), _changes.Last);
    }

    /// <summary>
    /// Saves everything in one step where the record is the very one that a store in memory has. Such a store answers at once, so that no other task of the
    /// request comes between; whoever has the session's turn, and works on it in several steps, is seen here if they have begun.
    /// </summary>
    /// <returns>False where there is somebody, another record has taken the place of this one, it has expired, or a change is for a new id.</returns>
    internal bool TryReplaceHeld(TimedStore store, KeyedQueue<SessionRecord> commits)
    {
        lock (_sync)
        {
            var now = _operations.Time.GetUtcNow();
            if (Record is not { IsHeld: true } current || current.ExpiresAt <= now || commits.IsBusy(Key) || NeedsNewIdUnlocked)
            {
                return false;
            }

            using var activity = SojournDiagnostics.Start("sojourn.commit");
            var (record, last) = TakeBatchUnlocked(now);
            if (!store.TryReplaceHeld(Key, current, record))
            {
                return false;
            }

            MarkStoredUnlocked(record, last, isVersionUnknown: false);
            return true;
        }
    }

    /// <summary>Whether a new session is worth a record: nothing is stored before the first entry is set.</summary>
    internal bool IsWorthStoring
    {
        get
        {
            lock (_sync)
            {
                return Record is not null || _isRegenerated || !_document.IsEmpty || Metadata.Subject is not null || _operations.Options.SaveUninitialized;
            }
        }
    }

    /// <summary>The changes up to the <paramref name="last"/> are in the record now; later ones are still to be saved.</summary>
    internal void MarkStored(SessionRecord record, Change? last, bool isVersionUnknown)
    {
        lock (_sync)
        {
            MarkStoredUnlocked(record, last, isVersionUnknown);
        }
    }

    private void MarkStoredUnlocked(SessionRecord record, Change? last, bool isVersionUnknown)
    {
        if (_document.IsRemembered)
        {
            _operations.Documents.Remember(Known ??= new KnownSession { Key = Key }, record, _document);
        }

        Record = record;
        IsCopy = false;
        ProvedAt = null;
        _isRegenerated = false;
        IsVersionUnknown = isVersionUnknown;
        WasWritten = true;
        _changes.RemoveThrough(last);
        WatchStored();
    }

    internal void MarkTouched(SessionRecord record, DateTimeOffset now)
    {
        lock (_sync)
        {
            Record = record;
            if (_document.IsShared && _document.IsOf(record.Document))
            {
                // The bytes are as they were: the next request need not split them again.
                _document.Record = record;
            }

            _cookie?.Touch(now);
            WasWritten = true;
            IsTouchAsked = false;
        }
    }

    /// <summary>Takes a fresh record and does the request's changes to it.</summary>
    internal void Rebase(SessionRecord fresh)
    {
        lock (_sync)
        {
            if (_operations.Documents.Of(fresh, Key) is not { } document || document.ReadMetadata() is null)
            {
                throw new SessionStoreException("The stored session became unreadable while the request ran.");
            }

            if (!_changes.IsEmpty)
            {
                document = document.Owned();
                _changes.Apply(document);
            }

            Record = fresh;
            IsCopy = false;
            IsVersionUnknown = false;
            _document = document;
            if (_cookie == _cookieSeen)
            {
                // The stored one counts, with what this request changed in it.
                _cookie = null;
            }
        }
    }

    /// <summary>Whether something was done that must not be stored under the id as it is.</summary>
    internal bool NeedsNewId
    {
        get
        {
            lock (_sync) return NeedsNewIdUnlocked;
        }
    }

    private bool NeedsNewIdUnlocked => _changes.NeedNewId;

    /// <summary>Forgets what is not saved, as for a handler that threw.</summary>
    internal void Discard()
    {
        lock (_sync)
        {
            DropPending();
            Failure = null;
            if (State == SessionState.Live)
            {
                _document = Record is null ? new SessionDocument() : SessionDocument.Of(Record) ?? new SessionDocument();
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

            // What another request changed meanwhile counts as changed by this one, for express-session.
            WasModified = _operations.Options.IsExpress && (WasModified || SessionDocument.Of(fresh)?.HasSameEntries(_document) == false);
            Rebase(fresh);
        }
    }

    /// <summary>What ASP.NET Core's own session calls commit: an untouched new session stays unstored.</summary>
    internal ValueTask SaveIfChangedAsync(CancellationToken cancellationToken) => _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken);
}
