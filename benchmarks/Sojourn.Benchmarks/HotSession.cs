using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sojourn.Benchmarks;

/// <summary>
/// One session that many requests change at once, over HTTP, at one application or at several on one Redis, while visitors of other sessions read theirs.
/// Prints a row of a table.
/// </summary>
internal static class HotSession
{
    private const int Readers = 16;

    /// <param name="args">
    /// How many requests change the session, at how many applications, and the Redis that they share; without one they are one, in memory.
    /// </param>
    public static async Task RunAsync(string[] args)
    {
        var (writers, count) = (int.Parse(args[0], CultureInfo.InvariantCulture), int.Parse(args[1], CultureInfo.InvariantCulture));
        var redis = args.ElementAtOrDefault(2);
        long conflicts = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
                { if (instrument.Name == "sojourn.commit.conflicts") listener.EnableMeasurementEvents(instrument); },
        };
        listener.SetMeasurementEventCallback<long>((_, measurement, _, _) => Interlocked.Add(ref conflicts, measurement));
        listener.Start();

        var apps = new List<WebApplication>();
        for (var number = 0; number < count; number++) apps.Add(await StartAsync(redis));
        var cookies = new CookieContainer();
        var clients = apps.Select(app => Client(app, cookies)).ToList();
        await PostAsync(clients[0]);
        var readers = apps.SelectMany(app => Enumerable.Range(0, Readers / count).Select(_ => Client(app, new CookieContainer()))).ToList();
        await Task.WhenAll(readers.Select(PostAsync));
        await ReadAsync(readers, Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System));
        var alone = await ReadAsync(readers, Task.Delay(TimeSpan.FromSeconds(2), TimeProvider.System));

        // The first time everything is new to the compiler.
        Warn(await Task.WhenAll(Enumerable.Range(0, writers).Select(number => PostAsync(clients[number % count]))));
        var before = await CountAsync(clients[0]);
        conflicts = 0;
        var clock = Stopwatch.StartNew();
        var all = Task.WhenAll(Enumerable.Range(0, writers).Select(number => PostAsync(clients[number % count])));
        var beside = await ReadAsync(readers, all);
        var answers = await all;
        var took = clock.Elapsed;
        var landed = await CountAsync(clients[0]) - before;
        Warn(answers);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {(redis is null ? "memory" : "Redis")} | {count} | {writers:N0} | {answers.Count(static status => status != HttpStatusCode.OK)} | {landed:N0} "
            + $"| {conflicts / (double)writers:0.00} | {took.TotalMilliseconds:N0} | {Percentile(alone, 50):0.0} / {Percentile(alone, 99):0.0} | "
            + $"{Percentile(beside, 50):0.0} / {Percentile(beside, 99):0.0} |"));
        foreach (var app in apps) await app.DisposeAsync();
    }

    private static async Task<WebApplication> StartAsync(string? redis)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var sojourn = builder.Services.AddSojourn(static options =>
        {
            options.ApplicationName = "hot";
            options.Secrets = ["the benchmark's secret, 32 characters or more"];
            options.Cookie.Name = "sid";
            options.Cookie.Secure = CookieSecure.AsRequest;
        });
        _ = redis is null ? sojourn.UseMemory() : sojourn.UseRedis(redis);
        var app = builder.Build();
        app.UseSojourn();
        app.MapPost("/count", static (Session session) => session.Update<int>("count", static count => count + 1));
        app.MapGet("/count", static (Session session) => session.Get<int>("count"));
        await app.StartAsync();
        return app;
    }

    private static HttpClient Client(WebApplication app, CookieContainer cookies) =>
        new(new SocketsHttpHandler { CookieContainer = cookies }) { BaseAddress = new Uri(app.Urls.First()), Timeout = Timeout.InfiniteTimeSpan };

    private static async Task<int> CountAsync(HttpClient client) =>
        int.Parse(await client.GetStringAsync(new Uri("/count", UriKind.Relative)), CultureInfo.InvariantCulture);

    private static void Warn(HttpStatusCode[] answers)
    {
        foreach (var status in answers.Where(static status => status != HttpStatusCode.OK).GroupBy(static status => status)) Console.Error.WriteLine($"{status.Count()} x {status.Key}");
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient client)
    {
        using var answer = await client.PostAsync(new Uri("/count", UriKind.Relative), null);
        return answer.StatusCode;
    }

    /// <summary>Every reader reads its session again and again until a task is done.</summary>
    /// <returns>How long each read took, in milliseconds, in rising order.</returns>
    private static async Task<List<double>> ReadAsync(List<HttpClient> readers, Task until)
    {
        var took = await Task.WhenAll(readers.Select(async reader =>
        {
            var mine = new List<double>();
            do
            {
                var clock = Stopwatch.StartNew();
                await reader.GetStringAsync(new Uri("/count", UriKind.Relative));
                mine.Add(clock.Elapsed.TotalMilliseconds);
            }
            while (!until.IsCompleted);
            return mine;
        }));
        return [.. took.SelectMany(static mine => mine).Order()];
    }

    private static double Percentile(List<double> rising, int percent) => rising[Math.Min(rising.Count - 1, rising.Count * percent / 100)];
}
