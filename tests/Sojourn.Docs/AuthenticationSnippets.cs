using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;

namespace Sojourn.Docs;

internal sealed class User
{
}

internal static class AuthenticationSnippets
{
    public static void Scheme(WebApplicationBuilder builder)
    {
        #region authentication
        builder.Services.AddSojourn().UseSqlite("Data Source=sessions.db");
        builder.Services.AddAuthentication().AddSojourn();
        builder.Services.AddAuthorization();
        var app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseSojourn();
        #endregion
    }

    public static async Task SignIn(HttpContext context)
    {
        #region authentication-sign-in
        var user = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", "42"), new Claim("name", "Ada")], "password", "name", "role"));
        await context.SignInAsync(user, new AuthenticationProperties { IsPersistent = true });   // persistent: "remember me"
        await context.SignOutAsync();
        #endregion
    }

    public static void Deadlines(AuthenticationBuilder authentication)
    {
        #region authentication-deadlines
        authentication.AddSojourn(o => o.OnSigningIn = context =>
        {
            if (context.User.IsInRole("admin"))
            {
                context.SignIn.IdleTimeout = TimeSpan.FromMinutes(5);
                context.SignIn.AbsoluteTimeout = TimeSpan.FromHours(4);
            }

            return Task.CompletedTask;
        });
        #endregion
    }

    public static async Task Impersonate(HttpContext context, ClaimsPrincipal customer)
    {
        #region authentication-impersonation
        await context.ImpersonateAsync(customer);      // after checking that this user may
        await context.StopImpersonatingAsync();
        #endregion
    }

    public static void Tickets(WebApplicationBuilder builder)
    {
        #region authentication-tickets
        builder.Services.AddAuthentication("Cookies").AddCookie().UseSojournTickets();
        #endregion
    }

    public static void Identity(WebApplicationBuilder builder)
    {
        #region authentication-identity
        builder.Services.AddIdentityCore<User>()    // and AddEntityFrameworkStores, or a store of your own
            .AddSignInManager()
            .AddDefaultTokenProviders()
            .AddSojournSessions<User>();
        builder.Services.AddAuthentication(IdentityConstants.ApplicationScheme)
            .AddSojourn(IdentityConstants.ApplicationScheme);
        #endregion
    }

    public static void BackChannelLogout(WebApplication app, Func<HttpContext, ValueTask<string>> readKeysOfProvider)
    {
        #region authentication-back-channel
        app.MapSojournBackChannelLogout("/signout-oidc-backchannel", o =>
        {
            o.Issuer = "https://login.example.com";
            o.ClientId = "shop";
            o.JsonWebKeys = readKeysOfProvider;     // the JSON at its jwks_uri, kept for a while
        });
        #endregion
    }
}
