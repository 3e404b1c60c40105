using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.AspNetCore;

/// <summary>Leads from the request's services to the request's sessions.</summary>
internal sealed class SessionHolder
{
    private HttpContext? _context;

    /// <summary>
    /// Leads there from whatever services the request has: not before somebody asks for them, since ASP.NET Core makes no scope for a request that asks for
    /// none, and again where a pipeline that is run once more has a scope of its own.
    /// </summary>
    public static void Attach(HttpContext context, IServiceScopeFactory scopes)
    {
        var services = context.Features[typeof(IServiceProvidersFeature)] as IServiceProvidersFeature;
        if (services is not HeldServices)
        {
            context.Features[typeof(IServiceProvidersFeature)] = new HeldServices(context, scopes, services);
        }
    }

    public Session Find(string name) => _context is { } context ? context.GetSession(name) : throw new InvalidOperationException(
        "There is no session here: the endpoint says WithoutSession, UseSojourn is missing or comes later, or this is no request. Outside a request use "
        + "SessionManager.");

    private sealed class HeldServices(HttpContext context, IServiceScopeFactory scopes, IServiceProvidersFeature? inner) : IServiceProvidersFeature
    {
        private IServiceProvidersFeature? _inner = inner;
        private IServiceProvider? _led;

        private IServiceProvidersFeature Inner => _inner ??= new RequestServicesFeature(context, scopes);

        public IServiceProvider RequestServices
        {
            get
            {
                var services = Inner.RequestServices;
                if (!ReferenceEquals(services, _led))
                {
                    _led = services;
                    services?.GetService<SessionHolder>()?._context = context;
                }

                return services!;
            }
            set => Inner.RequestServices = value;
        }
    }
}
