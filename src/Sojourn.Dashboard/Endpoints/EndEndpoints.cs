using Microsoft.AspNetCore.Http;
using Sojourn.Administration;
using Sojourn.Dashboard.Pages;

namespace Sojourn.Dashboard.Endpoints;

/// <summary>Sessions ended: a page asks first, and its form does it.</summary>
internal static class EndEndpoints
{
    public static async Task AskOneAsync(DashboardRequest request)
    {
        var handle = SessionEndpoints.Handle(request);
        if (await TryAsync(request, () => request.Administration.FindAsync(handle, request.Aborted)).ConfigureAwait(false) is not (true, var session))
        {
            return;
        }

        await (session is null ? NothingAsync(request) : request.PageAsync<EndPage>(new EndModel(
            "End this session?", null, [session], "End it", request.Frame.One(handle) + "/end", request.Frame.One(handle), request.Token(),
            handle == request.OwnHandle))).ConfigureAwait(false);
    }

    public static async Task EndOneAsync(DashboardRequest request)
    {
        var handle = SessionEndpoints.Handle(request);
        var (isDone, ended) = await TryAsync(request, async ValueTask<(SessionInfo? Session, int Count)> () =>
            (await request.Administration.FindAsync(handle, CancellationToken.None).ConfigureAwait(false),
             await request.Administration.EndAsync(
                 new SessionFilter { Handle = handle }, cancellationToken: CancellationToken.None).ConfigureAwait(false))).ConfigureAwait(false);
        if (!isDone)
        {
            return;
        }

        if (ended.Count == 0)
        {
            await NothingAsync(request).ConfigureAwait(false);
            return;
        }

        request.All.Logger.OneEnded(request.Operator, handle, ended.Session?.Subject);
        await request.MessageAsync(
            StatusCodes.Status200OK, "The session has ended", $"{handle} opens nothing any more.", request.Frame.One(handle),
            "What is known of it").ConfigureAwait(false);
    }

    public static async Task AskSubjectAsync(DashboardRequest request)
    {
        if (SubjectOf(request) is not { } subject)
        {
            await NobodyAsync(request).ConfigureAwait(false);
            return;
        }

        var listed = await TryAsync(request, () => request.Administration.ListAsync(subject, cancellationToken: request.Aborted)).ConfigureAwait(false);
        if (listed is not (true, { } sessions))
        {
            return;
        }

        var many = sessions.Count == 1 ? "the one session" : $"all {Words.Number(sessions.Count)} sessions";
        await (sessions.Count == 0 ? NothingAsync(request) : request.PageAsync<EndPage>(new EndModel(
            $"End {many} of {subject}?", subject, sessions, sessions.Count == 1 ? "End it" : "End all of them", request.Frame.EndOf(subject),
            request.Frame.Of(subject), request.Token(),
            sessions.Any(session => session.Handle is not null && session.Handle == request.OwnHandle)))).ConfigureAwait(false);
    }

    public static async Task EndSubjectAsync(DashboardRequest request)
    {
        if (SubjectOf(request) is not { } subject)
        {
            await NobodyAsync(request).ConfigureAwait(false);
            return;
        }

        var filter = new SessionFilter { Subject = subject };
        var done = await TryAsync(request, () => request.Administration.EndAsync(filter, cancellationToken: CancellationToken.None)).ConfigureAwait(false);
        if (done is not (true, var ended))
        {
            return;
        }

        request.All.Logger.SubjectEnded(request.Operator, ended, subject);
        await request.MessageAsync(
            StatusCodes.Status200OK, ended == 1 ? "One session has ended" : $"{Words.Number(ended)} sessions have ended",
            $"They were those of {subject}, who is signed in nowhere now.").ConfigureAwait(false);
    }

    private static string? SubjectOf(DashboardRequest request) =>
        request.Context.Request.Query["subject"].ToString() is var subject && SessionLabels.IsSubject(subject) ? subject : null;

    private static Task NobodyAsync(DashboardRequest request) =>
        request.MessageAsync(StatusCodes.Status400BadRequest, "Nobody is named", "The address names no subject, or one of more than 256 characters.");

    private static Task NothingAsync(DashboardRequest request) =>
        request.MessageAsync(StatusCodes.Status404NotFound, "There is nothing to end", "It has ended or expired already, or never was.");

    /// <summary>Asks the store, and answers for it where it fails.</summary>
    private static async ValueTask<(bool IsDone, T? Result)> TryAsync<T>(DashboardRequest request, Func<ValueTask<T>> call)
    {
        try
        {
            return (true, await call().ConfigureAwait(false));
        }
        catch (Exception e) when (request.TroubleOf(e) is { } trouble)
        {
            await request.MessageAsync(StatusCodes.Status503ServiceUnavailable, trouble.Title, trouble.Detail).ConfigureAwait(false);
            return (false, default);
        }
    }
}
