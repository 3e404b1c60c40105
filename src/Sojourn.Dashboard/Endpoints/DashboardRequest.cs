using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Administration;
using Sojourn.AspNetCore;
using Sojourn.Dashboard.Pages;
using Sojourn.Dashboard.Sessions;

namespace Sojourn.Dashboard.Endpoints;

/// <summary>One request to the dashboard: whose sessions it is about, and how it is answered.</summary>
internal sealed class DashboardRequest(HttpContext context, DashboardServices all, Frame frame)
{
    public HttpContext Context => context;

    public DashboardServices All => all;

    public Frame Frame => frame;

    public string Session => frame.Session;

    public SessionManager Manager { get; } = all.ManagerOf(frame.Session);

    public ISessionAdministration Administration { get; } = context.RequestServices.GetFor<ISessionAdministration>(frame.Session);

    public CancellationToken Aborted => context.RequestAborted;

    /// <summary>Who asks, for the log.</summary>
    public string Operator => frame.Operator ?? "(unknown)";

    /// <summary>The handle of the operator's own session, where it is one of those that are looked at.</summary>
    public string? OwnHandle => SessionFeature.Of(context, frame.Session)?.Session?.KnownHandle;

    public static async ValueTask<DashboardRequest?> BeginAsync(HttpContext context, string root, string here, string version)
    {
        var all = context.RequestServices.GetRequiredService<DashboardServices>();
        var session = context.Request.RouteValues["session"] as string ?? (all.Names.Contains("") ? "" : all.Names[0]);
        if (!all.Names.Contains(session))
        {
            return null;
        }

        var frame = new Frame(
            context.Request.PathBase + root,
            session,
            all.Names,
            here,
            $"{all.Environment.ApplicationName}, {all.Environment.EnvironmentName}",
            context.User.Identity?.Name,
            all.IsOpen,
            all.IsOpen || await MayAsync(context, all.Options.EndPolicy).ConfigureAwait(false),
            await MayAsync(context, all.Options.ValuesPolicy).ConfigureAwait(false),
            all.Time.GetUtcNow(),
            version);
        return new DashboardRequest(context, all, frame);
    }

    public Task PageAsync<TPage>(object model, int status = StatusCodes.Status200OK)
        where TPage : IComponent => PageWriter.WriteAsync<TPage>(context, status, frame, model);

    public Task MessageAsync(int status, string title, string detail, string? link = null, string? linkText = null) =>
        PageAsync<MessagePage>(new MessageModel(title, detail, link, linkText, status >= 400), status);

    public FormToken Token()
    {
        var tokens = context.RequestServices.GetRequiredService<IAntiforgery>().GetAndStoreTokens(context);
        return new FormToken(tokens.FormFieldName, tokens.RequestToken!);
    }

    /// <summary>How many sessions there are, or why that is not known.</summary>
    public async ValueTask<(SessionCount? Count, Trouble? Trouble)> CountAsync()
    {
        try
        {
            return (await all.CensusOf(frame.Session).TakeAsync(Aborted).ConfigureAwait(false), null);
        }
        catch (Exception e) when (TroubleOf(e) is { } trouble)
        {
            return (null, trouble);
        }
    }

    /// <summary>What the page says of a store that failed or cannot do something; <see langword="null"/> for any other exception.</summary>
    public Trouble? TroubleOf(Exception e)
    {
        switch (e)
        {
            case NotSupportedException:
                return all.StoreOf(frame.Session).As<Storage.ISessionIndex>() is null
                    ? new(
                        "This store cannot list its sessions",
                        "It has no index (ISessionIndex), so sessions can be neither counted nor listed, found or ended here. What this process does is "
                        + "measured all the same. docs/stores.md tells which stores have an index.")
                    : new(
                        "This store cannot find single sessions",
                        "The layout of an npm store has no place for labels: its sessions can be counted and paged through, but not found by subject or "
                        + "handle, nor ended here.");
            case SessionStoreException:
                all.Logger.StoreFailed(e);
                return new("The store does not answer", e.Message + " The page of its health tries it out.");
            default:
                return null;
        }
    }

    private static async ValueTask<bool> MayAsync(HttpContext context, string? policy)
    {
        if (policy is null)
        {
            return false;
        }

        var authorization = context.RequestServices.GetRequiredService<IAuthorizationService>();
        return (await authorization.AuthorizeAsync(context.User, null, policy).ConfigureAwait(false)).Succeeded;
    }
}
