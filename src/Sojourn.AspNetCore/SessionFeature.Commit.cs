using Microsoft.AspNetCore.Diagnostics;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <content>When the session is saved, and what the response says of it: its headers, or the failure in place of what the handler wrote.</content>
internal sealed partial class SessionFeature
{
    /// <summary>Saves the session, unless the handler threw. A client that went away does not cancel it.</summary>
    public ValueTask CommitAsync()
    {
        if (IsCommitting)
        {
            return CommitAfterAsync(_committing!);
        }

        if (IsCommitted)
        {
            return default;
        }

        if (_isConcluded || (!services.Options.CommitOnException && (_hasThrown || HandlerThrew())))
        {
            return default;
        }

        if (CommitFailure is { } failure)
        {
            // A handler that caught the failure must not answer as if nothing had happened.
            return ValueTask.FromException(failure);
        }

        if (LoadFailure is { } notLoaded)
        {
            // Whoever looked found nobody; no answer is made of that.
            return ValueTask.FromException(notLoaded);
        }

        ValueTask commit;
        try
        {
            RequireHonoured();
            if (Session is not { } session)
            {
                return default;
            }

            commit = services.Manager.CommitAsync(session, CancellationToken.None);
        }
        catch (Exception e)
        {
            CommitFailure = e;
            return ValueTask.FromException(e);
        }

        if (!commit.IsCompletedSuccessfully)
        {
            return new(_committing = RememberAsync(commit));
        }

        _hasCommitted = true;
        return commit;
    }

    /// <summary>The last line, after everybody else's OnStarting: what they changed is saved, then the headers are written.</summary>
    public Task OnStartingAsync()
    {
        var commit = CommitAsync();
        if (!commit.IsCompletedSuccessfully)
        {
            return OnStartingAsync(commit);
        }

        Guard.PassHeld();
        WriteHeaders();
        return Task.CompletedTask;
    }

    private async Task OnStartingAsync(ValueTask commit)
    {
        try
        {
            await commit.ConfigureAwait(false);
        }
        catch (Exception e) when (SessionFailure.IsOurs(e) && !_hasCommitted)
        {
            // Whoever answered let nothing wait for the guard: an authentication handler, say, outside UseSojourn.
            _isConcluded = true;
            Guard.DropHeld();
            SessionFailure.AnswerBare(context, e, services.Logger);
            return;
        }

        Guard.PassHeld();
        WriteHeaders();
    }

    private void WriteHeaders()
    {
        if (_isMarked)
        {
            ServerCaches.TakeOffMark(context.Response.Headers);
        }

        if (Session is { } session)
        {
            services.Tokens.WriteHeaders(context, session, _incoming);
            services.Binder?.WriteHeaders(context, session, _incoming);
        }
    }

    /// <summary>The handler threw: what it had not saved itself is dropped.</summary>
    public void MarkThrown()
    {
        CommitFailure = null;
        if (!services.Options.CommitOnException || Session?.Failure is not null)
        {
            _hasThrown = true;
            Session?.Discard();
        }
    }

    /// <summary>Answers with an error of ours in place of what was held back: nothing more is saved, in no session of the request.</summary>
    public Task AnswerAsync(Exception failure)
    {
        foreach (var feature in AllOf(context))
        {
            feature.GiveUp();
        }

        return SessionFailure.AnswerAsync(context, failure, services.Logger);
    }

    /// <summary>
    /// For an asker that goes on to answer by itself, such as an authentication handler at the end of a callback: outside UseSojourn an exception of ours
    /// would become a 500, so it is caught where this is true, and whatever the response was to be, it is the failure's bare status.
    /// </summary>
    /// <returns>False where the failure is to go on as an exception: UseSojourn answers it, or it is not ours.</returns>
    public bool TakesOver(Exception failure)
    {
        if (IsInMiddleware || !SessionFailure.IsOurs(failure) || context.Response.HasStarted)
        {
            return false;
        }

        CommitFailure ??= failure;
        return true;
    }

    /// <summary>Whether an exception handler within the pipeline answers for the handler; not asked where there is nothing to save.</summary>
    private bool HandlerThrew() =>
        (Session is not { HasWork: false, Record: not null } || services.Options.Resave) && context.Features[typeof(IExceptionHandlerFeature)] is not null;

    private void GiveUp()
    {
        _isConcluded = true;
        Guard.GiveUp();
    }

    private async ValueTask CommitAfterAsync(Task committing)
    {
        await committing.ConfigureAwait(false);
        await CommitAsync().ConfigureAwait(false);
    }

    private async Task RememberAsync(ValueTask commit)
    {
        try
        {
            await commit.ConfigureAwait(false);
            _hasCommitted = true;
        }
        catch (Exception e)
        {
            CommitFailure = e;
            throw;
        }
    }

    /// <summary>Session metadata of an endpoint that was chosen after the session was loaded cannot be honoured any more, and is never ignored.</summary>
    private void RequireHonoured()
    {
        if (said is not null || Said() is not { } chosen)
        {
            return;
        }

        // The page of a status code is another endpoint of a request that has its session: it may say what it likes of how it uses one.
        var isPage = context.Features.Get<IStatusCodeReExecuteFeature>() is not null;
        if ((!isPage && chosen.Use != SessionUse.ReadWrite) || chosen.FindUnmet(null, services.Time) is not null)
        {
            throw new InvalidOperationException(
                $"The endpoint '{chosen.Endpoint.DisplayName}' says how it uses the session, but it was chosen after the session had been loaded. Call "
                + "UseRouting before UseSojourn and UseAuthentication.");
        }
    }
}
