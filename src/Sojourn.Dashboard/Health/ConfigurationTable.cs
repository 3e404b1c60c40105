using System.Globalization;
using Sojourn.Dashboard.Pages;
using Sojourn.Storage;

namespace Sojourn.Dashboard.Health;

/// <summary>The options as they are in force. Of secrets only how many there are.</summary>
internal static class ConfigurationTable
{
    public static IReadOnlyList<KeyValuePair<string, string>> Of(SojournOptions options, ISessionStore store) =>
    [
        new("Store", store.GetType().Name),
        new("Secrets", $"{options.SecretKeys?.Count ?? options.Secrets.Count}, not shown"),
        new("ApplicationName", options.ApplicationName),
        new("IdleTimeout", store.As<INodeLayout>() is { } layout ? $"{Words.Span(layout.TimeToLive)}, the layout's own" : Words.Span(options.IdleTimeout)),
        new("AbsoluteTimeout", options.AbsoluteTimeout is { } absolute ? Words.Span(absolute) : "none"),
        new("TouchInterval", options.TouchInterval is { } touch ? Words.Span(touch) : "a twentieth of the idle time, at most 5 min"),
        new("RenewIdAfter", options.RenewIdAfter is { } after ? Words.Span(after) : "never"),
        new("RenewalGrace", options.RenewIdAfter is null ? "not used: ids do not renew themselves" : Words.Span(options.RenewalGrace)),
        new("EndOnDeadId", Words.YesNo(options.EndOnDeadId)),
        new("RememberMe.IdleTimeout", Words.Span(options.RememberMe.IdleTimeout)),
        new("RememberMe.AbsoluteTimeout", options.RememberMe.AbsoluteTimeout is { } remembered ? Words.Span(remembered) : "none"),
        new("MaxSessionsPerSubject", options.MaxSessionsPerSubject?.ToString(CultureInfo.InvariantCulture) ?? "none"),
        new("WhenTooManySessions", options.WhenTooManySessions.ToString()),
        new("KeepDevice", options.KeepDevice.ToString()),
        new("Load", options.Load.ToString()),
        new("Resave", Words.YesNo(options.Resave)),
        new("SaveUninitialized", Words.YesNo(options.SaveUninitialized)),
        new("Rolling", Words.YesNo(options.Rolling)),
        new("Unset", options.Unset.ToString()),
        new("CommitOnException", Words.YesNo(options.CommitOnException)),
        new("MaxDocumentBytes", Words.Bytes(options.MaxDocumentBytes)),
        new("StoreTimeout", Words.Span(options.StoreTimeout)),
        new("ExclusiveTimeout", Words.Span(options.ExclusiveTimeout)),
        new("EndedCheckInterval", store.As<ISessionNotifications>() is null ? Words.Span(options.EndedCheckInterval) : "not used: the store tells"),
        new("PruneInterval", store.As<IExpiringStore>() is null ? "not used: the database removes what has expired" : Words.Span(options.PruneInterval)),
        new("Cookie.Name", options.Cookie.Name ?? ""),
        new("Cookie.Path", options.Cookie.Path),
        new("Cookie.Domain", options.Cookie.Domain ?? "none"),
        new("Cookie.Secure", options.Cookie.Secure.ToString()),
        new("Cookie.HttpOnly", Words.YesNo(options.Cookie.HttpOnly)),
        new("Cookie.SameSite", options.Cookie.SameSite.ToString()),
        new("Cookie.MaxAge", options.Cookie.MaxAge is { } age ? Words.Span(age) : "until the browser closes"),
        new("Cookie.Partitioned", Words.YesNo(options.Cookie.Partitioned)),
    ];
}
