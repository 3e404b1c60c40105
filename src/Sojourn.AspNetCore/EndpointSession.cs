using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>What the chosen endpoint says of the session.</summary>
internal static class EndpointSession
{
    /// <summary>How it uses the session; <see langword="null"/> where no endpoint is chosen yet.</summary>
    public static SessionUse? UseOf(HttpContext context) =>
        context.GetEndpoint() is { } endpoint ? endpoint.Metadata.GetMetadata<SessionUseAttribute>()?.Use ?? SessionUse.ReadWrite : null;

    /// <summary>What it requires of the session; nothing where no endpoint is chosen yet.</summary>
    public static IReadOnlyList<RequireSessionAttribute> RequirementsOf(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetOrderedMetadata<RequireSessionAttribute>() ?? [];
}
