using System.Text.Json.Serialization;
using Sojourn.Administration;

namespace Sojourn.AspNetCore.Endpoints;

/// <summary>A session as its user sees it.</summary>
internal sealed record AccountSession(
    string? Handle, bool IsCurrent, SessionDevice? Device, DateTimeOffset? SignedInAt, DateTimeOffset? CreatedAt, DateTimeOffset LastSeenAt,
    DateTimeOffset ExpiresAt, bool IsImpersonated,
    bool IsDeviceBound)
{
    public static AccountSession Of(SessionInfo session) => new(
        session.Handle, session.IsCurrent, session.Device, session.SignedInAt, session.CreatedAt, session.LastSeenAt, session.ExpiresAt,
        session.Impersonator is not null,
        session.IsDeviceBound);
}

/// <summary>How many sessions ended.</summary>
internal sealed record AccountEnded(int Ended);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AccountSession[]))]
[JsonSerializable(typeof(AccountEnded))]
internal sealed partial class AccountJson : JsonSerializerContext;
