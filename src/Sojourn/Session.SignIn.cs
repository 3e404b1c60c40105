using System.Runtime.CompilerServices;
using Sojourn.Document;

namespace Sojourn;

/// <content>Whose session it is: signing in, proving it again, acting as somebody else. Each gives the session a new id.</content>
public sealed partial class Session
{
    /// <summary>Kept apart: few requests sign in, and all of them have a session.</summary>
    private StrongBox<DateTimeOffset>? _provedAt;

    /// <summary>What the authentication scheme keeps of the user; empty when nobody signed in by one.</summary>
    internal ReadOnlyMemory<byte> Ticket => Read(static session => session.Metadata.Ticket);

    /// <summary>The same of whoever acts as the subject.</summary>
    internal ReadOnlyMemory<byte> ActorTicket => Read(static session => session.Metadata.Actor?.Ticket ?? default);

    /// <summary>
    /// Signs a user in: gives the session a new id, sets <see cref="Subject"/>, begins the absolute deadline anew and saves the session, before this returns.
    /// The old id is dead then.
    /// </summary>
    /// <param name="subject">Whom the session belongs to from now on; 1 to 256 characters.</param>
    /// <param name="how">Deadlines and the like; the defaults of <see cref="SessionSignIn"/> when <see langword="null"/>.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="ArgumentException">The subject is empty or too long, or <paramref name="how"/> is out of its ranges.</exception>
    /// <exception cref="SessionLimitException">The subject has too many sessions; this one is as it was.</exception>
    /// <exception cref="SessionEndedException">The session ended while the request ran, or all sessions of the subject were ended just now.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    /// <exception cref="InvalidOperationException">The response has started, or the session is read-only or destroyed.</exception>
    public async ValueTask SignInAsync(string subject, SessionSignIn? how = null, CancellationToken cancellationToken = default)
    {
        SessionLabels.RequireSubject(subject);
        how ??= new();
        how.Require(nameof(how));
        lock (_sync)
        {
            RequireWritable();
            RequireNewIdPossible();
        }

        await _operations.SignInAsync(this, subject, how, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Notes that the subject has just proved again who they are, as before a step that needs it: gives the session a new id and sets <see cref="SignedInAt"/>.
    /// Everything else stays.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    /// <exception cref="InvalidOperationException">
    /// Nobody is signed in, or somebody acts as the subject; or the response has started, or the session is read-only.
    /// </exception>
    public ValueTask ConfirmSignInAsync(CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            RequireNewIdPossible();
            if (Metadata.Subject is null || Metadata.Actor is not null)
            {
                throw new InvalidOperationException("Only a subject who is signed in as themselves can confirm it.");
            }

            var now = _operations.Time.GetUtcNow();
            Do(new MetadataChange(metadata => metadata with { SignedInAt = now }, needsNewId: true));
        }

        return _operations.RenewIdAsync(this, cancellationToken);
    }

    /// <summary>
    /// The subject acts as another one until <see cref="StopImpersonatingAsync"/>: gives the session a new id and empties it; the subject's own entries wait
    /// for their return. The session ends with either's sessions, and its deadlines stay as they are.
    /// </summary>
    /// <param name="subject">Whom to act as; 1 to 256 characters.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="ArgumentException">The subject is empty or too long.</exception>
    /// <exception cref="InvalidOperationException">
    /// Nobody is signed in, or they act as somebody already; or the response has started, or the session is read-only.
    /// </exception>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    public ValueTask ImpersonateAsync(string subject, CancellationToken cancellationToken = default) => ImpersonateAsync(subject, default, cancellationToken);

    internal ValueTask ImpersonateAsync(string subject, ReadOnlyMemory<byte> ticket, CancellationToken cancellationToken)
    {
        SessionLabels.RequireSubject(subject);
        lock (_sync)
        {
            RequireNewIdPossible();
            if (Metadata.Subject is null || Metadata.Actor is not null)
            {
                throw new InvalidOperationException("Only a subject who is signed in as themselves can act as another one.");
            }

            SwapEntries(new ImpersonateChange(subject, ticket));
        }

        return _operations.RenewIdAsync(this, cancellationToken);
    }

    /// <summary>
    /// Whoever acted as another subject is themselves again: gives the session a new id, and back the entries that they had. What was put into it meanwhile is
    /// dropped.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <exception cref="InvalidOperationException">Nobody acts as the subject; or the response has started, or the session is read-only.</exception>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed; the session keeps its data, under the old id or the new.</exception>
    public ValueTask StopImpersonatingAsync(CancellationToken cancellationToken = default)
    {
        lock (_sync)
        {
            RequireNewIdPossible();
            if (Metadata.Actor is null)
            {
                throw new InvalidOperationException("Nobody acts as the session's subject.");
            }

            SwapEntries(new StopImpersonatingChange());
        }

        return _operations.RenewIdAsync(this, cancellationToken);
    }

    /// <summary>Whether there is one, asked without looking at the session on anybody's behalf: a stranger's response is like every stranger's.</summary>
    internal bool HasTicket
    {
        get
        {
            lock (_sync) return !Metadata.Ticket.IsEmpty;
        }
    }

    /// <summary>Replaces what the authentication scheme keeps of the user, who stays the same.</summary>
    internal void ReplaceTicket(ReadOnlyMemory<byte> ticket)
    {
        lock (_sync)
        {
            RequireWritable();
            Do(new MetadataChange(metadata => metadata with { Ticket = ticket }));
        }
    }

    /// <summary>When the user who is just signing in proved who they are, at the latest; <see langword="null"/> when nobody is.</summary>
    internal DateTimeOffset? ProvedAt
    {
        get => _provedAt?.Value;
        private set => _provedAt = value is { } at ? new(at) : null;
    }

    /// <summary>The handle that the session will have. Whoever was signed in before knows its handle, and must not know another subject's.</summary>
    internal string PlannedHandle(string subject)
    {
        lock (_sync)
        {
            return Metadata.Handle is { } handle && (Metadata.Subject is null || Metadata.Subject == subject) ? handle : SessionId.NewHandle();
        }
    }

    internal void ApplySignIn(string subject, string handle, SessionSignIn how)
    {
        lock (_sync)
        {
            CollectChanges();
            _hasSignedIn = true;
            var now = _operations.Time.GetUtcNow();
            var options = _operations.Options;
            var idle = how.IdleTimeout ?? (how.IsPersistent ? options.RememberMe.IdleTimeout : null);
            var absolute = how.AbsoluteTimeout is { } own ? (own == Timeout.InfiniteTimeSpan ? null : own)
                : how.IsPersistent ? options.RememberMe.AbsoluteTimeout
                : options.AbsoluteTimeout;
            var device = how.Device ?? _host?.Device;
            string[] labels = [.. how.Labels.Distinct(StringComparer.Ordinal)];
            var before = Metadata;

            // A session that is the subject's already was spared when the others were ended: its holder need not have proved anything since.
            ProvedAt = how.ProvedAt ?? (before.Subject == subject ? null : _host?.BeganAt ?? now);
            var change = new SignInChange(subject, how.KeepsEntries, metadata => metadata with
            {
                Handle = handle,
                Subject = subject,
                SignedInAt = how.ProvedAt is { } proved && proved < now ? proved : now,
                AbsoluteExpiresAt = now + absolute,
                IdleTimeout = idle,
                Labels = labels,
                Device = device,
                Ticket = how.Ticket,
                Actor = null,

                // The device of whoever was signed in before proves nothing about the next one.
                Binding = metadata.Subject == subject ? metadata.Binding : null,
            });
            if (change.KeepsEntries(before))
            {
                Do(change);
            }
            else
            {
                SwapEntries(change);
            }

            // "Remember me" is for the browser to do, too; and a sign-in without it takes it back.
            if (how.IsPersistent)
            {
                CookieUnlocked.MaxAge = idle;
            }
            else if (before.IdleTimeout is { } remembered && CookieUnlocked.MaxAge == remembered)
            {
                CookieUnlocked.MaxAge = options.Cookie.MaxAge;
            }
        }
    }

    /// <summary>Does a change after which the entries are others: the objects that were handed out belong to the session no more.</summary>
    private void SwapEntries(Change change)
    {
        CollectChanges();
        _watched = null;
        _flashesRead = null;
        _flashesSet = null;
        Do(change);
    }
}
