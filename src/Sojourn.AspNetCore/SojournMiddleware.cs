using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>The life of a request: token in, load, handler, commit before the first byte, headers out.</summary>
internal sealed class SojournMiddleware(RequestDelegate next, SessionServices services)
{
    public Task InvokeAsync(HttpContext context) =>
        services.Begin(context, isUse: false, out var loading) is { } feature ? RunAsync(context, feature, loading) : RunWithoutAsync(context);

    private Task RunWithoutAsync(HttpContext context) =>
        services.Endpoints.Of(context)?.FindUnmet(null, services.Time)?.RefuseAsync(context) ?? next(context);

    private async Task RunAsync(HttpContext context, SessionFeature feature, Task loading)
    {
        await loading.ConfigureAwait(false);
        if (feature.LoadFailure is { } failure)
        {
            await feature.AnswerAsync(failure).ConfigureAwait(false);
            return;
        }

        var guard = feature.Guard;
        feature.IsInMiddleware = true;
        try
        {
            try
            {
                await (feature.FindUnmet()?.RefuseAsync(context) ?? next(context)).ConfigureAwait(false);
            }
            finally
            {
                if (feature.Session?.Connection is { } connection)
                {
                    await connection.DisposeAsync().ConfigureAwait(false);
                }
            }

            if (!context.Response.HasStarted)
            {
                await feature.CommitAsync().ConfigureAwait(false);
            }

            await guard.OpenAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (Ours(feature, e) is { } ours && !context.Response.HasStarted)
        {
            await feature.AnswerAsync(ours).ConfigureAwait(false);
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

        feature.IsInMiddleware = false;
        if (!feature.IsCommitted && context.Response.HasStarted)
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
        SessionFailure.IsOurs(e) ? e
        : SessionFailure.IsOurs(feature.CommitFailure) ? feature.CommitFailure
        : null;
}
