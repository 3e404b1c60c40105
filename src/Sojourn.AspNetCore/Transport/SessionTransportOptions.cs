namespace Sojourn.AspNetCore.Transport;

/// <summary>Which transports serve a session: set by <c>WithTransports</c>.</summary>
internal sealed class SessionTransportOptions
{
    public IReadOnlyList<ISessionTransport> InOrder { get; set; } = [SessionTransports.Cookie];
}
