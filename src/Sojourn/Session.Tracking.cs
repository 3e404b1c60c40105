using System.Text.Json.Serialization.Metadata;
using Sojourn.Document;

namespace Sojourn;

/// <content>What the verbs share: how an entry is read and changed, and what the session remembers about it until the commit.</content>
public sealed partial class Session
{
    private SessionMetadata Metadata => _document.OwnMetadata;

    /// <summary>The document, to be changed: requests share one that nobody has changed.</summary>
    private SessionDocument OwnDocument() => _document = _document.Owned();

    private SessionCookie CookieUnlocked
    {
        get
        {
            if (_cookie is null)
            {
                _cookie = !HasBegun ? NewCookie() : CookieJson.Parse(_document.Cookie.Span, _operations.Time);
                _cookieSeen = _cookie with { };
            }

            return _cookie;
        }
    }

    internal bool TryGetRaw(string name, out ReadOnlyMemory<byte> value)
    {
        EntryName.Require(name);
        lock (_sync)
        {
            MarkUsed();
            CollectWatched();
            if (!TryOpen(name, out value, out var entry))
            {
                return false;
            }

            NoteHandedOut(name, entry, value, mutable: null, null!);
            return true;
        }
    }

    internal void SetRaw(string name, byte[] utf8)
    {
        EntryName.Require(name);
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
        DoUnasked(change);
    }

    /// <summary>The same for whoever has asked already whether the session is writable.</summary>
    private void DoUnasked(Change change)
    {
        EnsureBegun();
        change.Apply(OwnDocument());
        _changes.Add(change);
    }

    /// <summary>Gives a new session the members that it is stored with. Not before they are needed: most new sessions are never stored.</summary>
    private void EnsureBegun()
    {
        if (!HasBegun)
        {
            var now = _operations.Time.GetUtcNow();
            CookieUnlocked.Touch(now);
            OwnDocument().Cookie = CookieJson.Write(CookieUnlocked);
            var metadata = new SessionMetadata
            {
                Handle = _operations.NamesEverySession ? SessionId.NewHandle() : null,
                CreatedAt = _operations.Options.IsExpress ? null : now,
                AbsoluteExpiresAt = NewAbsoluteDeadline(),
            };
            if (metadata != SessionMetadata.None)
            {
                OwnDocument().Metadata = metadata.ToUtf8();
            }
        }
    }

    internal string NewId() => _host?.NewId() ?? SessionId.New(_operations.Options.IsExpress ? SessionId.ExpressBytes : SessionId.Bytes);

    private SessionCookie NewCookie() =>
        _host?.NewCookie() ?? _operations.Options.Cookie.ToSessionCookie(isSecure: _operations.Options.Cookie.Secure != CookieSecure.Never, _operations.Time);

    private DateTimeOffset? NewAbsoluteDeadline() =>
        _operations.Options.AbsoluteTimeout is { } timeout ? _operations.Time.GetUtcNow() + timeout : null;

    private bool TryOpen(string name, out ReadOnlyMemory<byte> value) => TryOpen(name, out value, out _);

    private bool TryOpen(string name, out ReadOnlyMemory<byte> value, out ReadOnlyMemory<byte> entry)
    {
        if (!_document.TryGet(name, out entry))
        {
            value = default;
            return false;
        }

        var envelope = Envelope.Open(entry);
        value = envelope.Value;
        return envelope.Until is null || !envelope.IsPast(_operations.Time.GetUtcNow());
    }

    private bool TryGetUnlocked<T>(string name, JsonTypeInfo<T> type, out T? value)
    {
        if (FindWatched(name, typeof(T)) is { } instance)
        {
            value = (T)instance;
            return true;
        }

        if (!TryOpen(name, out var utf8, out var entry))
        {
            value = default;
            return false;
        }

        value = EntryValue.Read(name, utf8.Span, type);
        NoteHandedOut(name, entry, utf8, ValueKind<T>.IsImmutable ? null : value, type);
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

            if (!TryOpen(name, out var utf8, out var entry))
            {
                return null;
            }

            var typeInfo = _operations.Options.GetJson().GetTypeInfo(type);
            var value = EntryValue.Read(name, utf8.Span, typeInfo);
            NoteHandedOut(name, entry, utf8, value, typeInfo);
            return value;
        }
    }

    private object? FindWatched(string name, Type type)
    {
        if (_watched is null)
        {
            return null;
        }

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
    private void NoteHandedOut(string name, ReadOnlyMemory<byte> entry, ReadOnlyMemory<byte> utf8, object? mutable, JsonTypeInfo type)
    {
        var isPlain = entry.Length == utf8.Length;
        if (isPlain)
        {
            if (mutable is not null)
            {
                (_watched ??= []).Add(new WatchedObject(name, mutable, type, utf8, isOurWriting: false));
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
        if (IsCopy || !_document.TryGet(name, out var current) || !current.Span.SequenceEqual(utf8))
        {
            DoUnasked(new SetChange(name, utf8));
        }
    }

    /// <summary>Records in-place changes of one entry's objects, which then belong to the session no more.</summary>
    private void SaveWatched(string name)
    {
        CollectWatched();
        StopWatching(name);
    }

    private void CollectWatched()
    {
        if (_watched is null)
        {
            return;
        }

        List<(WatchedObject Object, byte[] Utf8)>? changed = null;
        foreach (var watched in _watched)
        {
            if (watched.FindChange() is not { } utf8)
            {
                continue;
            }

            if (changed?.Find(other => string.Equals(other.Object.Name, watched.Name, StringComparison.Ordinal)) is { Object: { } twin })
            {
                throw new SessionEntryException(watched.Name, watched.Type, $"was changed as {twin.Type} too, and cannot be saved");
            }

            (changed ??= []).Add((watched, utf8));
        }

        foreach (var (watched, utf8) in changed ?? [])
        {
            Do(new SetChange(watched.Name, utf8));
            watched.Take(utf8);
        }
    }

    private void StopWatching(string name)
    {
        for (var i = (_watched?.Count ?? 0) - 1; i >= 0; i--)
        {
            if (string.Equals(_watched![i].Name, name, StringComparison.Ordinal))
            {
                _watched.RemoveAt(i);
            }
        }
    }

    private void DropPending()
    {
        _changes = default;
        _watched = null;
        _flashesRead = null;
        _flashesSet = null;
        IsTouchAsked = false;
    }

    private JsonTypeInfo<T> TypeOf<T>()
    {
        var json = _operations.Options.GetJson();
        return LastType<T>.Value is { } last && ReferenceEquals(last.Options, json) ? last : LastType<T>.Value = (JsonTypeInfo<T>)json.GetTypeInfo(typeof(T));
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
                "The response has started, so the cookie of a new session cannot be sent to the visitor. Put something into the session before the first byte "
                + "is written.");
        }

        if (_host is { CanSendCookie: false, CommitsLate: false })
        {
            throw new InvalidOperationException(
                "The response has started, and nobody saves what changes later: the request does not pass UseSojourn. Change the session before the first byte "
                + "is written, or let the request pass UseSojourn.");
        }
    }

    private void RequireNotReadOnly()
    {
        if (IsReadOnly)
        {
            throw new InvalidOperationException("This endpoint has the session read-only (WithReadOnlySession). Remove that to write.");
        }
    }

    /// <summary>How a type was last read: an application has one set of JSON options, and to ask them anew costs a look into their cache.</summary>
    private static class LastType<T>
    {
        public static JsonTypeInfo<T>? Value { get; set; }
    }
}
