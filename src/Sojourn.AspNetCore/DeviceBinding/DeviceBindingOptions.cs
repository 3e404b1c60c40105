namespace Sojourn.AspNetCore;

/// <summary>What becomes of signed-in sessions that no device is bound to.</summary>
public enum DeviceBindingPolicy
{
    /// <summary>
    /// They are as good as ever: most browsers cannot bind a session. Endpoints may ask for more (<see cref="RequireDeviceBindingAttribute"/>).
    /// </summary>
    Optional,

    /// <summary>
    /// They are refused once <see cref="DeviceBindingOptions.RegistrationTime"/> is over, so that browsers without device binding cannot stay signed in.
    /// </summary>
    Required,
}

/// <summary>
/// How sessions are bound to devices (Device Bound Session Credentials). Bound from the configuration section <c>Sojourn:DeviceBinding</c>
/// (<c>Sojourn:Sessions:</c>name<c>:DeviceBinding</c> for a named session), then by code; checked when the application starts.
/// </summary>
/// <remarks>Read once at start; a later change has no effect.</remarks>
public sealed class DeviceBindingOptions
{
    /// <summary>What becomes of signed-in sessions that no device is bound to. <see cref="DeviceBindingPolicy.Optional"/> by default.</summary>
    public DeviceBindingPolicy Policy { get; set; }

    /// <summary>
    /// The short-lived cookie's name: that of the session's cookie and <c>b</c>, such as <c>__Host-sidb</c>, by default (<see langword="null"/>). Chromium
    /// refuses <c>__Host-Http-</c> here.
    /// </summary>
    public string? CookieName { get; set; }

    /// <summary>
    /// How long the browser keeps the short-lived cookie, and so how long a copy of both cookies is good for at the most. 10 minutes by default; 5 minutes, or
    /// 1 second in Development, to 1 hour. Chromium signs some six times in nine minutes for a site, and no more.
    /// </summary>
    public TimeSpan CookieLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How long a challenge may be answered; one that is issued ahead, with a cookie, so long after the cookie's end. 5 minutes by default; 1 second to 5
    /// minutes.
    /// </summary>
    public TimeSpan ChallengeLifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// How long after a sign-in the session may be bound: who comes later may be somebody else. 2 minutes by default; 1 second to 10 minutes.
    /// </summary>
    public TimeSpan RegistrationTime { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Where the browser registers and refreshes: <c>/register</c> and <c>/refresh</c> under this path, which is as the browser asks for it, with a path base
    /// where the application has one, and one that the session's cookie is sent to. <c>/session/binding</c> by default (<see langword="null"/>), within the
    /// cookie's path, and with the session's name where it has one.
    /// </summary>
    public string? Path { get; set; }
}
