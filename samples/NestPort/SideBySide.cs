using System.Net;
using System.Text;

namespace NestPort;

/// <summary>A page with the two applications' sources beside each other, read from the files that run.</summary>
internal static class SideBySide
{
    private static readonly (string Nest, string Sojourn)[] Pairs =
    [
        ("nest/src/main.ts", "Program.cs"),
        ("nest/src/app.controller.ts", "AppController.cs"),
        ("nest/src/signed-in.guard.ts", ""),
        ("nest/src/app.module.ts", ""),
    ];

    public static async Task<IResult> PageAsync(IWebHostEnvironment environment, IConfiguration configuration)
    {
        var page = new StringBuilder($$"""
            <!doctype html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>From NestJS to Sojourn</title>
              <style>
                :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
                body { margin: 0 auto; max-width: 90rem; padding: 1.5rem; }
                section { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin-top: 1.5rem; }
                article { min-width: 0; border: 1px solid color-mix(in srgb, currentcolor 20%, transparent); border-radius: .5rem; overflow: hidden; }
                h2 { font-size: .85rem; font-weight: 600; margin: 0; padding: .5rem .9rem; background: color-mix(in srgb, currentcolor 6%, transparent); }
                pre { margin: 0; padding: .9rem; overflow-x: auto; font: .8rem/1.55 ui-monospace, monospace; }
                @media (max-width: 60rem) { section { grid-template-columns: 1fr; } }
              </style>
            </head>
            <body>
              <h1>The same application twice</h1>
              <p>Left NestJS with express-session, at <code>{{WebUtility.HtmlEncode(configuration["NestAddress"])}}</code>; right ASP.NET Core with Sojourn, here.
                Try <a href="/visits">/visits</a> in both. The cookie, its signature and the stored session have the same format.</p>
            """);
        foreach (var (nest, sojourn) in Pairs)
        {
            page.Append("<section>");
            await AppendAsync(page, environment, nest, "");
            await AppendAsync(page, environment, sojourn, "RequireSession(\"user\") and the registration in Program.cs do it.");
            page.Append("</section>");
        }

        return TypedResults.Content(page.Append("</body></html>").ToString(), "text/html", Encoding.UTF8);
    }

    private static async Task AppendAsync(StringBuilder page, IWebHostEnvironment environment, string file, string otherwise)
    {
        var source = file.Length == 0 ? otherwise : await File.ReadAllTextAsync(Path.Combine(environment.ContentRootPath, file));
        page.Append("<article><h2>").Append(
            file.Length == 0 ? "not needed" : file).Append("</h2><pre>").Append(WebUtility.HtmlEncode(source)).Append("</pre></article>");
    }
}
