namespace Sojourn;

/// <summary>The store failed, or did not answer in time: whether the change is stored is not known. 503 to the visitor.</summary>
public class SessionStoreException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">What was tried.</param>
    /// <param name="innerException">What the store threw.</param>
    public SessionStoreException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}

/// <summary>Other processes changed the session again and again while this change was tried; nothing was saved. 503 to the visitor.</summary>
public sealed class SessionConflictException : SessionStoreException
{
    internal SessionConflictException(int attempts)
        : base($"The session changed under each of {attempts} attempts to save it. Nothing was saved; the request may be sent again.")
    {
    }
}

/// <summary>Another request held the session exclusively for longer than <see cref="SojournOptions.ExclusiveTimeout"/>. 503 to the visitor.</summary>
public sealed class SessionBusyException : SessionStoreException
{
    internal SessionBusyException(TimeSpan waited)
        : base($"Another request of this session still held it exclusively after {waited.TotalSeconds:0.#} s.")
    {
    }
}

/// <summary>The session was destroyed, ended or renewed while the request ran: its changes cannot be saved any more. 409 to the visitor.</summary>
public sealed class SessionEndedException : Exception
{
    internal SessionEndedException()
        : base("The session ended while the request ran. Its changes were not saved.")
    {
    }
}

/// <summary>
/// The subject has as many sessions as <see cref="SojournOptions.MaxSessionsPerSubject"/> allows: the sign-in was refused and nothing was changed. Thrown with
/// <see cref="SessionLimitPolicy.Reject"/> alone.
/// </summary>
public sealed class SessionLimitException : Exception
{
    internal SessionLimitException(int limit)
        : base(
            $"The user is signed in {limit} times already, and SojournOptions.MaxSessionsPerSubject allows no more. One of these sessions must end first.") =>
            Limit = limit;

    /// <summary>How many sessions a subject may have.</summary>
    public int Limit { get; }
}

/// <summary>The session would not fit into <see cref="SojournOptions.MaxDocumentBytes"/>; the stored session is unchanged.</summary>
public sealed class SessionTooLargeException : Exception
{
    internal SessionTooLargeException(long bytes, int limit)
        : base(
            $"The session would take {bytes:N0} bytes, more than SojournOptions.MaxDocumentBytes = {limit:N0}. Keep large things elsewhere and their names in "
            + "the session.")
    {
        Bytes = bytes;
    }

    /// <summary>The size that it would have had, in bytes.</summary>
    public long Bytes { get; }
}

/// <summary>An entry cannot be read as, or written from, the type that was asked for; the stored entry is kept.</summary>
public sealed class SessionEntryException : Exception
{
    internal SessionEntryException(string name, Type type, string problem, string? path = null, Exception? innerException = null)
        : base($"The session's entry '{name}' {problem} as {type}{(path is null ? "" : $", at {path}")}.", innerException)
    {
        Name = name;
        Type = type;
        Path = path;
    }

    /// <summary>The entry's name.</summary>
    public string Name { get; }

    /// <summary>The type that was asked for.</summary>
    public Type Type { get; }

    /// <summary>Where in the entry it failed, as a JSON path, where known.</summary>
    public string? Path { get; }
}
