using Sojourn.Document;
using Sojourn.Ending;
using Sojourn.Events;

namespace Sojourn;

/// <summary>What a session asks for when a verb needs the store. The session manager is the one that answers.</summary>
internal interface ISessionOperations
{
    SojournOptions Options { get; }

    TimeProvider Time { get; }

    /// <summary>How long a session lives without use whose cookie does not say so itself; see <see cref="Storage.INodeLayout"/>.</summary>
    TimeSpan TimeToLive { get; }

    /// <summary>Whether a session lives as long as its cookie, as with express-session.</summary>
    bool LivesAsLongAsCookie { get; }

    string KeyOf(string id);

    SplitDocuments Documents { get; }

    /// <summary>Whether sessions get a handle when they are first stored.</summary>
    bool NamesEverySession { get; }

    /// <summary>Notices the end of sessions that somebody waits for.</summary>
    SessionWatcher Watcher { get; }

    ValueTask SaveAsync(Session session, bool evenIfEmpty, CancellationToken cancellationToken);

    ValueTask ReloadAsync(Session session, CancellationToken cancellationToken);

    ValueTask RegenerateAsync(Session session, CancellationToken cancellationToken);

    ValueTask RenewIdAsync(Session session, CancellationToken cancellationToken);

    ValueTask SignInAsync(Session session, string subject, SessionSignIn how, CancellationToken cancellationToken);

    ValueTask DestroyAsync(Session session, SessionEndReason reason, CancellationToken cancellationToken);
}

/// <summary>What a session asks of the request that it serves.</summary>
internal interface ISessionHost
{
    /// <summary>Whether a cookie can still be sent: not once the response has started.</summary>
    bool CanSendCookie { get; }

    /// <summary>Whether what is changed once the response has started is saved at the end of the request.</summary>
    bool CommitsLate => true;

    /// <summary>Whether an id that renews itself can be sent with the response.</summary>
    bool CanRenewId => false;

    /// <summary>The session gets a new key, which nobody knows yet.</summary>
    /// <returns>Whether the request has the session exclusively; it has it under the new key as well then.</returns>
    ValueTask<bool> OnRenewingAsync(string newKey) => default;

    /// <summary>The request has looked at its session for the first time: its response is not for others.</summary>
    void OnUsed();

    /// <summary>The id of a session begun by this request, or renewed.</summary>
    string NewId();

    /// <summary>The attributes that a session begun by this request has.</summary>
    SessionCookie NewCookie();

    /// <summary>Whether the request counts as use of the session.</summary>
    bool CountsAsActivity => true;

    /// <summary>Cancelled when the client went away.</summary>
    CancellationToken Aborted => CancellationToken.None;

    /// <summary>The request waits for the end of the session, and no longer when it is over itself.</summary>
    void OnWatched(IDisposable watch)
    {
    }

    /// <summary>When the request began.</summary>
    DateTimeOffset? BeganAt { get; }

    /// <summary>The device that the request comes from, as far as the application keeps it.</summary>
    SessionDevice? Device { get; }
}
