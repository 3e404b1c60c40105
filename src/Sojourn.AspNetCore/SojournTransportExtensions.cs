using Sojourn;
using Sojourn.AspNetCore;
using Sojourn.AspNetCore.Transport;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses how the session's token travels.</summary>
public static class SojournTransportExtensions
{
    /// <summary>
    /// Lets the token travel by these transports and no others; the last call counts. A client is answered as it speaks, and one that says nothing by the
    /// first. Tokens that verify for different sessions are refused together, whichever way they came.
    /// </summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="transports">The transports in order, such as <see cref="SessionTransports.Cookie"/> and <see cref="SessionTransports.Header"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">There is none, or one is null.</exception>
    public static SojournBuilder WithTransports(this SojournBuilder builder, params ISessionTransport[] transports)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(transports);
        if (transports.Length == 0 || transports.Contains(null))
        {
            throw new ArgumentException("Name at least one transport, such as SessionTransports.Cookie.", nameof(transports));
        }

        builder.Services.Configure<SessionTransportOptions>(builder.Name, options => options.InOrder = transports);
        return builder;
    }
}
