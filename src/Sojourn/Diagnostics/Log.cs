using Microsoft.Extensions.Logging;

namespace Sojourn.Diagnostics;

/// <summary>What the engine logs. Never an id, a token or an entry's value; of a key its first 8 characters, which open nothing.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Error, "The stored session {KeyStart}… is not a document that this version can read. The visitor goes on with a new session; "
        + "the record is kept.")]
    public static partial void UnreadableDocument(this ILogger logger, string keyStart);

    [LoggerMessage(2, LogLevel.Warning, "Moving the expiry of session {KeyStart}… failed. The visitor goes on; the session may end earlier.")]
    public static partial void TouchFailed(this ILogger logger, string keyStart, Exception exception);

    [LoggerMessage(3, LogLevel.Warning, "Removing the expired session {KeyStart}… failed. It stays unusable and is removed later.")]
    public static partial void ExpiredNotRemoved(this ILogger logger, string keyStart, Exception exception);

    [LoggerMessage(4, LogLevel.Information, "A token that was signed here, but that no session answers, was presented. It is not adopted.")]
    public static partial void UnknownId(this ILogger logger);

    [LoggerMessage(5, LogLevel.Error, "Removing expired sessions failed. It is tried again at the next turn.")]
    public static partial void PruneFailed(this ILogger logger, Exception exception);

    [LoggerMessage(6, LogLevel.Debug, "Removed {Count} expired sessions.")]
    public static partial void Pruned(this ILogger logger, long count);

    [LoggerMessage(7, LogLevel.Debug, "A session was stored for the first time.")]
    public static partial void Created(this ILogger logger);

    [LoggerMessage(8, LogLevel.Debug, "A session past its deadline was presented. It has ended, and the visitor goes on with a new one.")]
    public static partial void Expired(this ILogger logger);

    [LoggerMessage(9, LogLevel.Warning, "Whether the session store has the tables it needs could not be looked up at the start. The first call to it tries "
        + "again.")]
    public static partial void SchemaNotChecked(this ILogger logger, Exception exception);

    [LoggerMessage(10, LogLevel.Warning, "The lease of a session that is held exclusively could not be renewed or released. It ends by itself.")]
    public static partial void LeaseNotKept(this ILogger logger, Exception exception);

    [LoggerMessage(11, LogLevel.Error, "A handler of the event {Kind} failed. What it was told of has happened all the same.")]
    public static partial void EventHandlerFailed(this ILogger logger, Events.SessionEventKind kind, Exception exception);

    [LoggerMessage(12, LogLevel.Information, "A sign-in or a renewed id was undone: the sessions that it belongs to were all ended while it ran.")]
    public static partial void Undone(this ILogger logger);

    [LoggerMessage(13, LogLevel.Information, "A user has signed in.")]
    public static partial void SignedIn(this ILogger logger);

    [LoggerMessage(14, LogLevel.Information, "A session has ended: {Reason}.")]
    public static partial void Ended(this ILogger logger, Events.SessionEndReason reason);

    [LoggerMessage(15, LogLevel.Warning, "A sign-in was refused: all sessions of the subject were ended after the request began. If the request did that "
        + "itself, set SessionSignIn.ProvedAt to the time after it.")]
    public static partial void ProvedTooEarly(this ILogger logger);

    [LoggerMessage(16, LogLevel.Information, "The near cache is not told of changes by other processes: what they change is seen when copies are as old as "
        + "they may be (MaxStaleness). Redis and PostgreSQL tell where Notifications is set in the options of the store, in all processes.")]
    public static partial void NearCacheNotTold(this ILogger logger);

    [LoggerMessage(17, LogLevel.Warning, "The near cache could not subscribe to changes by other processes. It is tried again; until then they are seen when "
        + "copies are as old as they may be.")]
    public static partial void NearCacheNotSubscribed(this ILogger logger, Exception exception);

    [LoggerMessage(18, LogLevel.Warning, "An id came back that was renewed and is past its time. Two clients share the session, or the answer with the new id "
        + "was lost. It is not adopted.")]
    public static partial void DeadId(this ILogger logger);

    [LoggerMessage(19, LogLevel.Warning, "Renewing the id of session {KeyStart}… failed. The visitor goes on; the next request tries again.")]
    public static partial void RenewalFailed(this ILogger logger, string keyStart, Exception exception);

    [LoggerMessage(31, LogLevel.Error, "A callback on Session.Ended failed. The session has ended all the same.")]
    public static partial void EndedCallbackFailed(this ILogger logger, Exception exception);

    [LoggerMessage(32, LogLevel.Warning, "Whether sessions with open connections have ended could not be looked up. It is tried again; until then they are "
        + "taken to be alive.")]
    public static partial void NotLookedAt(this ILogger logger, Exception exception);

    [LoggerMessage(33, LogLevel.Warning, "The session store could not be subscribed to for the end of sessions with open connections. It is tried again; "
        + "until then their records are read every EndedCheckInterval.")]
    public static partial void NewsNotSubscribed(this ILogger logger, Exception exception);

    [LoggerMessage(51, LogLevel.Error, "The stored document of session {KeyStart}… does not open: {Reason}. Somebody wrote to the database, or the key was "
        + "removed too early.")]
    public static partial void DocumentRefused(this ILogger logger, string keyStart, string reason);

    [LoggerMessage(52, LogLevel.Warning, "AllowPlaintext is set: documents in clear are read, too, so whoever can write to the database can make sessions. "
        + "Take it out when the sessions from before encryption have ended.")]
    public static partial void PlaintextAllowed(this ILogger logger);
}
