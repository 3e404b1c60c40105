namespace Sojourn;

/// <content>What an id that renews itself asks of the session.</content>
public sealed partial class Session
{
    /// <summary>More than the clocks of processes differ, and responses overtake one another.</summary>
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(5);

    /// <summary>The id was renewed, and the new one cannot be made from it any more, since the secret that made it is gone: no token is sent.</summary>
    private bool _hasOldId;

    /// <summary>The id, asked without looking at the session on anybody's behalf.</summary>
    internal string KnownId
    {
        get
        {
            lock (_sync) return _id ??= NewId();
        }
    }

    /// <summary>Whether this request is to renew the id: it is old enough, and the new one can be sent with the response.</summary>
    internal bool IsRenewalDue(TimeSpan after, DateTimeOffset now) => !IsReadOnly && !_hasOldId && _host is { CanRenewId: true } && IsIdOlderThan(after, now);

    /// <summary>
    /// Whether a token may be sent again that the request came with. Not when its id may be renewed just now, by another request: the token would outlive the
    /// id in the browser.
    /// </summary>
    internal bool MaySendIdAgain =>
        !_hasOldId && !(_operations.Options.RenewIdAfter is { } after && IsIdOlderThan(after - QuietTime, _operations.Time.GetUtcNow()));

    /// <summary>Notes that the id is of now. It is forgotten where the request goes on from another record.</summary>
    internal void StampId(DateTimeOffset now)
    {
        lock (_sync)
        {
            MarkUsed();
            OwnDocument().Metadata = (Metadata with { IdSince = now }).ToUtf8();
        }
    }

    /// <summary>Tells the request of the id's new key, before anybody can know it.</summary>
    /// <returns>Whether the request has the session exclusively.</returns>
    internal ValueTask<bool> PrepareRenewalAsync(string newKey) => _host?.OnRenewingAsync(newKey) ?? default;

    /// <summary>Goes on under the id that the session has now, <see langword="null"/> where that cannot be told.</summary>
    internal Session GoOnAs(string? id, string key)
    {
        lock (_sync)
        {
            TakeId(id ?? _id!, key);
            _hasOldId = id is null;
            return this;
        }
    }

    private bool IsIdOlderThan(TimeSpan age, DateTimeOffset now)
    {
        lock (_sync) return !(now - Metadata.IdSince < age);
    }
}
