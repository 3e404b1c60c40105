using System.Globalization;
using Microsoft.AspNetCore.Http;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// The short-lived cookie beside the session's own. It says of a binding that its device has signed, is good until its own end whatever is issued after it, and
/// opens nothing without the session's cookie and the session's record.
/// </summary>
internal sealed class BoundCookie
{
    private const string Purpose = "cookie";

    /// <summary>A cookie that the browser sends at its last moment is still good when it arrives.</summary>
    private static readonly TimeSpan OnTheWay = TimeSpan.FromSeconds(30);

    /// <summary>A request full of forged cookies must not buy any amount of HMACs.</summary>
    private const int MostTried = 4;
    private readonly CookieTransport _cookie;
    private readonly TimedSeal _seal;
    private readonly TimeSpan _lifetime;

    public BoundCookie(SojournOptions session, DeviceBindingOptions options, TimedSeal seal, TimeProvider time)
    {
        Name = options.CookieName!;
        _seal = seal;
        _lifetime = options.CookieLifetime;
        _cookie = new CookieTransport(Name, isExpress: false);
        var attributes = session.Cookie.ToSessionCookie(isSecure: true, time);
        (attributes.MaxAge, attributes.Priority, attributes.HttpOnly) = (null, SessionCookiePriority.Unset, true);
        Attributes = _cookie.Format("", attributes, isCleared: false)[(Name.Length + "=; ".Length)..];
    }

    public string Name { get; }

    /// <summary>
    /// The attributes as the browser is told to look for them. The cookie is set with this very text: a browser that found another would refresh before every
    /// request.
    /// </summary>
    public string Attributes { get; }

    public void Write(HttpResponse response, string bindingId, DateTimeOffset now)
    {
        var value = _seal.Write(Purpose, bindingId, now + _lifetime + OnTheWay);
        response.Headers.Append(
            "Set-Cookie", string.Create(CultureInfo.InvariantCulture, $"{Name}={value}; Max-Age={(long)_lifetime.TotalSeconds}; {Attributes}"));
    }

    public void Clear(HttpResponse response) => response.Headers.Append("Set-Cookie", $"{Name}=; Max-Age=0; {Attributes}");

    /// <summary>Whether the request carries one that is good for the binding.</summary>
    public bool Proves(HttpRequest request, string bindingId, DateTimeOffset now)
    {
        var tried = 0;
        foreach (var header in request.Headers.Cookie)
        {
            var rest = header.AsSpan();
            while (tried < MostTried && _cookie.TakeCookie(ref rest, out var value))
            {
                tried++;
                if (_seal.Holds(Purpose, bindingId, value, now))
                {
                    return true;
                }
            }
        }

        return false;
    }
}
