using System.Globalization;
using System.Security.Cryptography;

namespace Sojourn.Benchmarks.Http;

/// <summary>The content of every session: a counter and ten texts, 1 KB together.</summary>
internal static class Content
{
    public static readonly string[] Names = [.. Enumerable.Range(0, 10).Select(i => string.Create(CultureInfo.InvariantCulture, $"entry{i}"))];
    public static readonly string Text = new('x', 82);
}

internal static class WithoutSession
{
    private static int _counter;

    /// <summary>A cookie of each visitor's own, as long as the others', so that the server reads the same headers.</summary>
    public static Task Seed(HttpContext context)
    {
        context.Response.Headers.SetCookie = "sid=" + RandomNumberGenerator.GetHexString(92) + "; path=/";
        return context.Response.WriteAsync("seeded");
    }

    public static Task Read(HttpContext context) => context.Response.WriteAsync(Content.Text);

    public static Task Write(HttpContext context) => context.Response.WriteAsync((++_counter).ToString(CultureInfo.InvariantCulture));
}

internal static class BuiltIn
{
    public static Task Seed(HttpContext context)
    {
        context.Session.SetInt32("counter", 0);
        foreach (var name in Content.Names)
        {
            context.Session.SetString(name, Content.Text);
        }

        return context.Response.WriteAsync("seeded");
    }

    /// <summary>Loaded asynchronously, as its documentation asks for.</summary>
    public static async Task Read(HttpContext context)
    {
        await context.Session.LoadAsync();
        await context.Response.WriteAsync(context.Session.GetString("entry5") ?? throw new InvalidOperationException("The session is lost."));
    }

    public static async Task Write(HttpContext context)
    {
        await context.Session.LoadAsync();
        var counter = 1 + (context.Session.GetInt32("counter") ?? throw new InvalidOperationException("The session is lost."));
        context.Session.SetInt32("counter", counter);
        await context.Response.WriteAsync(counter.ToString(CultureInfo.InvariantCulture));
    }
}

internal static class WithSojourn
{
    public static Task Seed(HttpContext context)
    {
        var session = context.GetSession();
        session.Set("counter", 0);
        foreach (var name in Content.Names)
        {
            session.Set(name, Content.Text);
        }

        return context.Response.WriteAsync("seeded");
    }

    public static Task Read(HttpContext context) =>
        context.Response.WriteAsync(context.GetSession().Get<string>("entry5") ?? throw new InvalidOperationException("The session is lost."));

    public static Task Write(HttpContext context)
    {
        var session = context.GetSession();
        var counter = 1 + (session.Get<int?>("counter") ?? throw new InvalidOperationException("The session is lost."));
        session.Set("counter", counter);
        return context.Response.WriteAsync(counter.ToString(CultureInfo.InvariantCulture));
    }
}
