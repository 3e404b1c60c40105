using Sojourn.Events;

namespace Sojourn.Dashboard.Pages;

/// <summary>What happened, in words.</summary>
internal static class EventWords
{
    public static string Of(SessionEvent what) => what.Kind switch
    {
        SessionEventKind.Created => "created",
        SessionEventKind.Renewed => "got a new id",
        SessionEventKind.SignedIn => "signed in",
        SessionEventKind.Ended => "ended: " + OfEnd(what.Reason),
        SessionEventKind.Expired => "found past its deadline",
        SessionEventKind.Inspected => what.By is { } by ? $"values looked at by {by}" : "values looked at",
        SessionEventKind.Suspicious => what.Suspicion switch
        {
            SessionSuspicion.UnknownId => "suspicious: a signed id that nobody has",
            SessionSuspicion.AmbiguousTokens => "suspicious: two sessions in one request",
            SessionSuspicion.DeadId => "suspicious: an id that was renewed came back",
            SessionSuspicion.UnreadableDocument => "suspicious: a stored session that does not read",
            SessionSuspicion.UnboundUse => "suspicious: used without its device",
            _ => "suspicious",
        },
        _ => what.Kind.ToString(),
    };

    /// <summary>The reasons of the counter <c>sojourn.sessions.ended</c>.</summary>
    public static string OfEnd(string reason) => reason switch
    {
        "destroyed" => "Destroyed by its own request",
        "signed-out" => "Signed out",
        "by-user" => "Ended by its user elsewhere",
        "by-operator" => "Ended by an operator",
        "too-many" => "Ended by the limit",
        "credentials-changed" => "Ended by changed credentials",
        "by-provider" => "Ended by the identity provider",
        "dead-id" => "Ended by a dead id that came back",
        "expired" => "Found past its deadline",
        _ => "Ended, " + reason,
    };

    /// <summary>The reasons of the counter <c>sojourn.tokens.refused</c>.</summary>
    public static string OfRefusal(string reason) => reason switch
    {
        "invalid" => "Token refused: not signed here",
        "ambiguous" => "Tokens refused: two sessions at once",
        "unknown" => "Token refused: its session is not there",
        "dead" => "Token refused: its id was renewed",
        _ => "Token refused: " + reason,
    };

    private static string OfEnd(SessionEndReason? reason) => reason switch
    {
        SessionEndReason.Destroyed => "destroyed by its own request",
        SessionEndReason.SignedOut => "signed out",
        SessionEndReason.ByUser => "by its user, elsewhere",
        SessionEndReason.ByOperator => "by an operator",
        SessionEndReason.TooMany => "its user had too many",
        SessionEndReason.CredentialsChanged => "credentials changed",
        SessionEndReason.ByProvider => "by the identity provider",
        SessionEndReason.DeadId => "an id of it came back that was dead",
        _ => "for a reason of a later version",
    };
}
