using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Sojourn.AspNetCore.Transport;
using Sojourn.Storage;

namespace Sojourn.Benchmarks.Scale;

/// <summary>An application with very many sessions in memory, which writes down the cookies of some of them: 256, and a sample of them all.</summary>
internal static class MemoryServer
{
    private const int Busy = 256;
    private const int Sample = 100_000;

    /// <param name="args">The port, how many sessions there are, and the file of the sample's cookies; beside it comes that of the busy ones.</param>
    public static async Task RunAsync(string[] args)
    {
        var sessions = int.Parse(args[1], CultureInfo.InvariantCulture);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:" + args[0]);
        builder.Services.AddSojourn(static options =>
        {
            options.Secrets = ["the benchmark's secret, 32 characters or more"];
            options.Cookie.Name = "sid";
            options.Cookie.Secure = CookieSecure.AsRequest;
            // So long that nothing is touched or ends meanwhile.
            options.IdleTimeout = TimeSpan.FromDays(1);
            options.AbsoluteTimeout = null;
        }).UseMemory(options => options.MaxSessions = sessions);
        var app = builder.Build();
        app.UseSojourn();
        app.MapGet("/seed", static context => context.Response.WriteAsync("ready"));
        app.MapGet(
            "/read",
            static context =>
                context.Response.WriteAsync(context.GetSession().Get<string>("entry0") ?? throw new InvalidOperationException("The session is lost.")));
        app.MapGet("/write", static context =>
        {
            var session = context.GetSession();
            var counter = 1 + (session.Get<int?>("counter") ?? throw new InvalidOperationException("The session is lost."));
            session.Set("counter", counter);
            return context.Response.WriteAsync(counter.ToString(CultureInfo.InvariantCulture));
        });
        var ids = await FillAsync(app.Services, sessions);
        var token = app.Services.GetRequiredService<SessionToken>();
        var cookies = ids.ConvertAll(id => "Set-Cookie: sid=" + SessionToken.Encode(token.Write(id)));
        await File.WriteAllLinesAsync(args[2], cookies);
        await File.WriteAllLinesAsync(args[2] + ".busy", cookies.Take(Busy));
        // What filling has left behind is not for the requests to clear up.
        GC.Collect();
        await app.RunAsync();
    }

    /// <returns>The ids of a random sample, in random order.</returns>
    private static async Task<List<string>> FillAsync(IServiceProvider services, int sessions)
    {
        var (store, manager) = (services.GetRequiredService<ISessionStore>(), services.GetRequiredService<SessionManager>());
        var expires = DateTimeOffset.UtcNow.AddDays(1).AddHours(1);
        var sample = new List<string>();
        for (var number = 0; number < sessions; number++)
        {
            var id = SessionId.New();
            await store.CreateAsync(manager.KeyOf(id), new SessionRecord(ScaleDatabase.Document.ToArray(), expires.AddMilliseconds(number % 1000)), default);
            if (sample.Count < Sample) sample.Add(id);
            else if (RandomNumberGenerator.GetInt32(number + 1) is var place && place < Sample) sample[place] = id;
        }

        var shuffled = sample.ToArray();
        RandomNumberGenerator.Shuffle(shuffled.AsSpan());
        return [.. shuffled];
    }
}
