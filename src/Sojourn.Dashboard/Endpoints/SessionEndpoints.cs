using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Sojourn.Administration;
using Sojourn.Dashboard.Pages;
using Sojourn.Dashboard.Sessions;
using Sojourn.Events;

namespace Sojourn.Dashboard.Endpoints;

/// <summary>Sessions listed, found and looked at.</summary>
internal static class SessionEndpoints
{
    /// <summary>How many sessions of one subject a page shows.</summary>
    private const int MaxFound = 200;

    public static async Task ListAsync(DashboardRequest request)
    {
        var query = request.Context.Request.Query;
        var (find, filter, place) = (query["find"].ToString().Trim(), PageFilter.Of(query), query["after"].ToString());
        var (count, trouble) = await request.CountAsync().ConfigureAwait(false);
        if (!TryOpenPlace(request, place, out var after))
        {
            await request.MessageAsync(
                StatusCodes.Status400BadRequest, "That page is not known",
                "The link is damaged, or comes from an instance that cannot be asked. Begin with the first page.").ConfigureAwait(false);
            return;
        }

        var model = new ListModel(find, filter, 0, [], null, place, count, null, trouble);
        try
        {
            model = find is not "" ? await FindAsync(request, model).ConfigureAwait(false) : await PageAsync(request, model, after).ConfigureAwait(false);
        }
        catch (Exception e) when (request.TroubleOf(e) is { } problem)
        {
            model = model with { Trouble = problem };
        }
        catch (ArgumentException) when (after is not null)
        {
            await request.MessageAsync(
                StatusCodes.Status400BadRequest, "That page is not known here",
                "Another instance, or this one before it was started again, made the link. Begin with the first page.").ConfigureAwait(false);
            return;
        }

        await request.PageAsync<ListPage>(
            model, model.Trouble is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable).ConfigureAwait(false);
    }

    public static Task OneAsync(DashboardRequest request) => OneAsync(request, withValues: false);

    /// <summary>Shows values, once it has been written down who asked for them.</summary>
    public static async Task ValuesAsync(DashboardRequest request)
    {
        var handle = Handle(request);
        SessionInfo? session;
        try
        {
            session = await request.Administration.FindAsync(handle, request.Aborted).ConfigureAwait(false);
        }
        catch (Exception e) when (request.TroubleOf(e) is not null)
        {
            session = null;
        }

        if (session is not null)
        {
            request.All.Logger.ValuesShown(request.Operator, handle, session.Subject);
            await request.Manager.Events.RaiseAsync(SessionEventKind.Inspected, handle, session.Subject, by: request.Operator).ConfigureAwait(false);
        }

        await OneAsync(request, withValues: session is not null).ConfigureAwait(false);
    }

    public static string Handle(DashboardRequest request) => (string)request.Context.Request.RouteValues["handle"]!;

    private static async Task OneAsync(DashboardRequest request, bool withValues)
    {
        var handle = Handle(request);
        SessionDetail? detail = null;
        Trouble? trouble = null;
        try
        {
            detail = await SessionDetail.FindAsync(request.Manager, handle, withValues, request.Aborted).ConfigureAwait(false);
        }
        catch (Exception e) when (request.TroubleOf(e) is { } problem)
        {
            trouble = problem;
        }

        var history = request.All.History;
        await request.PageAsync<Pages.SessionPage>(
            new SessionModel(handle, detail, withValues && detail is not null, history.Of(request.Session, handle), history, request.Token(), trouble),
            trouble is not null ? StatusCodes.Status503ServiceUnavailable
            : detail is null ? StatusCodes.Status404NotFound
            : StatusCodes.Status200OK).ConfigureAwait(false);
    }

    private static async ValueTask<ListModel> FindAsync(DashboardRequest request, ListModel model)
    {
        if (await request.Administration.FindAsync(model.Find, request.Aborted).ConfigureAwait(false) is { } session)
        {
            return model with { Looked = 1, Shown = [session] };
        }

        if (!SessionLabels.IsSubject(model.Find))
        {
            return model;
        }

        var sessions = await request.Administration.ListAsync(model.Find, cancellationToken: request.Aborted).ConfigureAwait(false);
        return model with { Looked = sessions.Count, Shown = [.. sessions.Take(MaxFound)], Subject = model.Find };
    }

    private static async ValueTask<ListModel> PageAsync(DashboardRequest request, ListModel model, string? after)
    {
        var page = await request.Administration.PageAsync(after, model.Filter.Size, request.Aborted).ConfigureAwait(false);
        return model with
        {
            Looked = page.Sessions.Count,
            Shown = [.. page.Sessions.Where(session => model.Filter.Holds(session, request.Frame.Now))],
            Next = page.Next is { } next ? request.All.PlacesOf(request.Session).Protect(next) : null,
        };
    }

    private static bool TryOpenPlace(DashboardRequest request, string place, out string? after)
    {
        after = null;
        try
        {
            after = place is "" ? null : request.All.PlacesOf(request.Session).Unprotect(place);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
