using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.AspNetCore;

/// <summary>The life of a request: token in, load, handler, commit before the first byte, headers out.</summary>
internal sealed class SojournMiddleware(RequestDelegate next, SessionServices services)
{
    private int _hasWarnedOfHttp;

    /// <summary>What the chosen endpoint says of the session; <see langword="null"/> where no endpoint is chosen yet.</summary>
    public static SessionUse? UseOf(HttpContext context) =>
        context.GetEndpoint() is { } endpoint ? endpoint.Metadata.GetMetadata<SessionUseAttribute>()?.Use ?? SessionUse.ReadWrite : null;

    /// <summary>What the chosen endpoint requires of the session; nothing where no endpoint is chosen yet.</summary>
    public static IReadOnlyList<RequireSessionAttribute> RequirementsOf(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetOrderedMetadata<RequireSessionAttribute>() ?? [];

    public Task InvokeAsync(HttpContext context)
    {
        // A pipeline run again by an exception handler or a status-code page goes on with the same session.
        if (context.Features.Get<ISessionFeature>() is SessionFeature feature)
        {
            return RunAsync(context, feature, feature.Guard!);
        }

        var use = services.Express is { } express && !express.Covers(context) ? SessionUse.None : UseOf(context);
        return use switch
        {
            SessionUse.None => RequirementsOf(context) is [var required, ..] ? required.RefuseAsync(context) : next(context),
            SessionUse.Exclusive => RunExclusivelyAsync(context),
            _ => BeginAsync(context, use, services.Transport.Read(context.Request), key: null),
        };
    }

    private async Task RunExclusivelyAsync(HttpContext context)
    {
        var incoming = services.Transport.Read(context.Request);
        if (incoming.Id is null)
        {
            // Nobody else can hold a session that does not exist yet.
            await BeginAsync(context, SessionUse.Exclusive, incoming, key: null).ConfigureAwait(false);
            return;
        }

        var key = services.Manager.KeyOf(incoming.Id);
        IAsyncDisposable turn;
        try
        {
            turn = await WaitForTurnAsync(key, context.RequestAborted).ConfigureAwait(false);
        }
        catch (SessionStoreException e)
        {
            await AnswerAsync(context, e).ConfigureAwait(false);
            return;
        }

        await using (turn.ConfigureAwait(false))
        {
            await BeginAsync(context, SessionUse.Exclusive, incoming, key).ConfigureAwait(false);
        }
    }

    private async Task<IAsyncDisposable> WaitForTurnAsync(string key, CancellationToken aborted)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        using var timer = services.Time.CreateTimer(static state => ((CancellationTokenSource)state!).Cancel(), patience, services.Options.ExclusiveTimeout, Timeout.InfiniteTimeSpan);
        try
        {
            return await services.Manager.Exclusive.EnterAsync(key, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            throw new SessionBusyException(services.Options.ExclusiveTimeout);
        }
    }

    private async Task BeginAsync(HttpContext context, SessionUse? use, Transport.IncomingToken incoming, string? key)
    {
        WarnOfHttp(context);
        var feature = new SessionFeature(context, services, incoming) { UseAtLoad = use };
        try
        {
            await feature.LoadAsync(incoming.Id is null ? null : key ?? services.Manager.KeyOf(incoming.Id)).ConfigureAwait(false);
        }
        catch (SessionStoreException e)
        {
            await AnswerAsync(context, e).ConfigureAwait(false);
            return;
        }

        feature.Current.IsReadOnly = use == SessionUse.ReadOnly;
        var guard = new ResponseGuard(context.Response, context.Features.GetRequiredFeature<IHttpResponseBodyFeature>(), feature);
        context.Features.Set<ISessionFeature>(feature);
        context.Features.Set<IHttpResponseBodyFeature>(guard);
        feature.Guard = guard;
        context.RequestServices.GetRequiredService<SessionHolder>().Feature = feature;

        // Registered first, so that it runs after everybody else's.
        context.Response.OnStarting(static state => ((SessionFeature)state).OnStartingAsync(), feature);
        await RunAsync(context, feature, guard).ConfigureAwait(false);
    }

    private static RequireSessionAttribute? FindUnmet(HttpContext context, Session session)
    {
        foreach (var requirement in RequirementsOf(context))
        {
            if (!requirement.IsMetBy(session))
            {
                return requirement;
            }
        }

        return null;
    }

    private async Task RunAsync(HttpContext context, SessionFeature feature, ResponseGuard guard)
    {
        try
        {
            await (FindUnmet(context, feature.Current)?.RefuseAsync(context) ?? next(context)).ConfigureAwait(false);
            if (!context.Response.HasStarted)
            {
                await feature.CommitAsync().ConfigureAwait(false);
            }

            await guard.OpenAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (Ours(feature, e) is { } ours && !context.Response.HasStarted)
        {
            feature.Conclude();
            guard.GiveUp();
            await AnswerAsync(context, ours).ConfigureAwait(false);
            return;
        }
        catch
        {
            guard.DropHeld();
            feature.MarkThrown();
            if (services.Options.CommitOnException && !context.Response.HasStarted)
            {
                await feature.CommitAsync().ConfigureAwait(false);
            }

            throw;
        }

        if (context.Response.HasStarted)
        {
            await CommitLateAsync(context, feature).ConfigureAwait(false);
        }
    }

    /// <summary>Changes made after the response had started. A response that cannot be taken back is broken off.</summary>
    private async ValueTask CommitLateAsync(HttpContext context, SessionFeature feature)
    {
        try
        {
            await feature.CommitAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            services.Logger.LateCommitFailed(e);
            context.Abort();
        }
    }

    /// <summary>The failure of ours behind an exception, if there is one: also where a handler or a library wrapped or replaced it.</summary>
    private static Exception? Ours(SessionFeature feature, Exception e) =>
        e is SessionStoreException or SessionEndedException ? e
        : feature.CommitFailure is SessionStoreException or SessionEndedException ? feature.CommitFailure
        : null;

    private async Task AnswerAsync(HttpContext context, Exception e)
    {
        var isEnded = e is SessionEndedException;
        var status = isEnded ? StatusCodes.Status409Conflict : StatusCodes.Status503ServiceUnavailable;
        if (isEnded)
        {
            services.Logger.SessionEnded();
        }
        else
        {
            services.Logger.SessionFailed(status, e);
        }

        context.Response.Clear();
        context.Response.StatusCode = status;
        context.Response.Headers.CacheControl = "no-store";
        if (!isEnded)
        {
            context.Response.Headers.RetryAfter = "1";
        }

        await TypedResults.Problem(
            statusCode: status,
            type: isEnded ? "urn:sojourn:session-ended" : "urn:sojourn:session-unavailable",
            title: isEnded ? "The session ended while the request ran. Nothing was saved." : "The session is not available right now. Please try again.")
            .ExecuteAsync(context).ConfigureAwait(false);
    }

    private void WarnOfHttp(HttpContext context)
    {
        if (_hasWarnedOfHttp == 0
            && (services.Express?.IsAlwaysSecure ?? services.Options.Cookie.Secure == CookieSecure.Always)
            && !(services.Express?.IsSecure(context) ?? context.Request.IsHttps)
            && Interlocked.Exchange(ref _hasWarnedOfHttp, 1) == 0)
        {
            services.Logger.PlainHttp();
        }
    }
}
