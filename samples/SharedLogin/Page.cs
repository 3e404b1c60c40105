using System.Text;
using Sojourn;
using static System.Net.WebUtility;

namespace SharedLogin;

internal sealed record User(string Name);

/// <summary>The same frame as in nest/src/page.ts.</summary>
internal static class Page
{
    public static IResult Of(Session session, string title, string body) => Results.Content(
        $"""
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>{title} · Harbour Books</title>
          <link rel="icon" href="data:,">
          <link rel="stylesheet" href="/site.css">
        </head>
        <body class="dotnet">
          <header>
            <a class="brand" href="/">Harbour Books</a>
            <nav>
              <a href="/cart">Cart <span class="count">{session.Get<string[]>("cart")?.Length ?? 0}</span></a>
              {(session.Get<User>("user") is { } user
                ? $"""<a href="/account">{HtmlEncode(user.Name)}</a><form method="post" action="/cart/sign-out"><button class="plain">Sign out</button></form>"""
                : """<a href="/sign-in">Sign in</a>""")}
            </nav>
          </header>
          <main>
            <h1>{title}</h1>
            {body}
          </main>
          <footer>This page came from <strong>ASP.NET Core</strong> with Sojourn.</footer>
        </body>
        </html>
        """,
        "text/html",
        Encoding.UTF8);
}
