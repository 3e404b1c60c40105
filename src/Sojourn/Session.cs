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
    private PendingChanges _changes;
    private List<WatchedObject>? _watched;
    private Dictionary<string, ReadOnlyMemory<byte>>? _flashesRead;
    private HashSet<string>? _flashesSet;
    private SessionDocument _document;
    private SessionCookie? _cookie;
    private SessionCookie? _cookieSeen;
    private string? _id;
    private string? _key;
    private bool _hasCommitted;

    /// <summary>With express-session a regenerated session is saved, empty as it is.</summary>
    private bool _isRegenerated;

    /// <summary>A session that no request before has stored.</summary>
    internal Session(ISessionOperations operations, ISessionHost? host)
    {
        _operations = operations;
        _host = host;
        _document = new SessionDocument();
        KnownIsNew = true;
    }

    /// <summary>A session as it was read.</summary>
    internal Session(ISessionOperations operations, ISessionHost? host, string? id, string key, SessionRecord record, SessionDocument document)
    {
        _operations = operations;
        _host = host;
        _id = id;
        _key = key;
        _document = document;
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
                return _id ??= NewId();
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
    public bool IsNew => Read(static session => session.KnownIsNew);

    /// <summary>The same, asked without looking at the session on anybody's behalf.</summary>
    internal bool KnownIsNew { get; private set; }

    /// <summary>Whom the session belongs to, as given to <see cref="SignInAsync"/>; <see langword="null"/> when nobody is signed in.</summary>
    public string? Subject => Read(static session => session.Metadata.Subject);

    /// <summary>
    /// Who acts as the <see cref="Subject"/> (<see cref="ImpersonateAsync(string, CancellationToken)"/>); <see langword="null"/> when they are themselves.
    /// </summary>
    public string? Impersonator => Read(static session => session.Metadata.Actor?.Subject);

    /// <summary>
    /// When the subject last proved who they are: at sign-in, or by <see cref="ConfirmSignInAsync"/>. <see langword="null"/> when nobody is signed in, or
    /// somebody acts as the subject.
    /// </summary>
    public DateTimeOffset? SignedInAt => Read(static session => session.Metadata.SignedInAt);

    /// <summary>The device that the subject signed in on, as far as the application keeps it.</summary>
    public SessionDevice? Device => Read(static session => session.Metadata.Device);

    /// <summary>When the session was made; <see langword="null"/> where a Node application made it, which does not say.</summary>
    public DateTimeOffset? CreatedAt =>
        Read(static session => session.KnownIsNew && session.Record is null ? session._operations.Time.GetUtcNow() : session.Metadata.CreatedAt);

    /// <summary>When the session was last used before this request, to within the touch interval; follows from the stored expiry.</summary>
    public DateTimeOffset LastSeenAt => Read(static session =>
        session.Record is { } record ? record.ExpiresAt - session.Lifetime : session._operations.Time.GetUtcNow());

    /// <summary>When the session ends unless it is used before.</summary>
    public DateTimeOffset ExpiresAt => Read(static session => session.Record?.ExpiresAt ?? session.FreshExpiry(session._operations.Time.GetUtcNow()));

    /// <summary>When the session ends whatever its use; <see langword="null"/> when it has no such deadline.</summary>
    public DateTimeOffset? AbsoluteExpiresAt =>
        Read(static session => session.Metadata.AbsoluteExpiresAt ?? (session.HasBegun ? null : session.NewAbsoluteDeadline()));

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
    public IReadOnlyList<string> Names =>
        Read(static session => session._document.Names(entry => !Envelope.Open(entry).IsPast(session._operations.Time.GetUtcNow())));

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

    /// <summary>
    /// Reads an entry. One object is handed out for each entry and type; changed in place, it is saved without <see cref="Set{T}(string, T)"/>.
    /// </summary>
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
                (_watched ??= []).Add(new WatchedObject(name, value, type, utf8, isOurWriting: true));
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
            var isThere = _document.TryGet(name, out _);
            if (isThere || IsCopy)
            {
                Do(new RemoveChange(name));
            }

            return isThere;
        }
    }

    /// <summary>Removes all entries that this request sees; one that another request adds meanwhile stays. The session itself lives on.</summary>
    /// <exception cref="InvalidOperationException">The session is read-only or destroyed.</exception>
    public void Clear()
    {
        lock (_sync)
        {
            RequireWritable();
            _watched = null;
            _flashesRead = null;
            var names = _document.Names();
            if (names.Count > 0)
            {
                Do(new ClearChange(names));
            }
        }
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
