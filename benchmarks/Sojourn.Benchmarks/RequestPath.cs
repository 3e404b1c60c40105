using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sojourn.Benchmarks;

/// <summary>
/// What the middleware costs a request, without a server: processor time and bytes allocated, a request that reads and one that writes; on the memory store, or
/// with a near cache in front of it, whose own cost is then the difference.
/// </summary>
internal static class RequestPath
{
    private const int Requests = 20_000;

    public static async Task RunAsync(bool hasNearCache)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var sojourn = builder.Services.AddSojourn(options =>
        {
            options.Secrets = ["the benchmark's secret, 32 characters or more"];
            options.Cookie.Name = "sid";
            options.Cookie.Secure = CookieSecure.AsRequest;
        });
        if (hasNearCache)
        {
            sojourn.WithNearCache(TimeSpan.FromMinutes(5));
        }

        await using var app = builder.Build();
        var pipeline = Pipeline(app, useSojourn: true);
        var bare = Pipeline(app, useSojourn: false);
        var seeded = new Request(app.Services, "/seed", cookie: null);
        await seeded.RunAsync(pipeline);
        var cookie = seeded.SetCookie.Split(';')[0];
        (string Name, RequestDelegate Pipeline, string Path)[] cases = [("none", bare, "/none"), ("read", pipeline, "/read"), ("write", pipeline, "/write")];
        foreach (var (name, delegates, path) in cases)
        {
            var best = double.MaxValue;
            long bytes = 0;
            for (var round = 0; round < 12; round++)
            {
                var allocated = GC.GetTotalAllocatedBytes(precise: true);
                using var process = Process.GetCurrentProcess();
                var used = process.TotalProcessorTime;
                for (var i = 0; i < Requests; i++)
                {
                    await new Request(app.Services, path, cookie).RunAsync(delegates);
                }

                process.Refresh();
                best = Math.Min(best, (process.TotalProcessorTime - used).TotalMicroseconds / Requests);
                bytes = (GC.GetTotalAllocatedBytes(precise: true) - allocated) / Requests;
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {best:0.00} us, {bytes} bytes"));
        }
    }

    private static RequestDelegate Pipeline(WebApplication app, bool useSojourn)
    {
        var pipeline = new ApplicationBuilder(app.Services);
        if (useSojourn)
        {
            pipeline.UseSojourn();
        }

        pipeline.Run(static context =>
        {
            var path = context.Request.Path.Value;
            if (path == "/none")
            {
                return context.Response.WriteAsync("x");
            }

            var session = context.GetSession();
            if (path == "/read")
            {
                return context.Response.WriteAsync(session.Get<string>("entry5") ?? throw new InvalidOperationException("The session is lost."));
            }

            if (path == "/seed")
            {
                for (var i = 0; i < 10; i++)
                {
                    session.Set(string.Create(CultureInfo.InvariantCulture, $"entry{i}"), new string('x', 82));
                }
            }

            var counter = 1 + session.Get<int>("counter");
            session.Set("counter", counter);
            return context.Response.WriteAsync(counter.ToString(CultureInfo.InvariantCulture));
        });
        return pipeline.Build();
    }

    /// <summary>One request whose response goes nowhere, with a response that starts as a server's does.</summary>
    private sealed class Request : IServiceProvidersFeature, IHttpResponseFeature
    {
        private readonly DefaultHttpContext _context;
        private readonly List<(Func<object, Task> Callback, object State)> _starting = [];

        public Request(IServiceProvider services, string path, string? cookie)
        {
            RequestServices = services;
            var features = new FeatureCollection();
            features.Set<IHttpRequestFeature>(new HttpRequestFeature { Path = path });
            features.Set<IHttpResponseFeature>(this);
            features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(Stream.Null));
            features.Set<IServiceProvidersFeature>(this);
            _context = new DefaultHttpContext(features);
            if (cookie is not null)
            {
                _context.Request.Headers.Cookie = cookie;
            }
        }

        public string SetCookie => Headers.SetCookie.ToString();

        public IServiceProvider RequestServices { get; set; }

        public int StatusCode { get; set; } = 200;

        public string? ReasonPhrase { get; set; }

        public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

        public Stream Body { get; set; } = Stream.Null;

        public bool HasStarted { get; private set; }

        public async Task RunAsync(RequestDelegate pipeline)
        {
            using var scope = RequestServices.CreateScope();
            RequestServices = scope.ServiceProvider;
            await pipeline(_context);
            for (var i = _starting.Count - 1; i >= 0; i--)
            {
                await _starting[i].Callback(_starting[i].State);
            }

            HasStarted = true;
        }

        public void OnStarting(Func<object, Task> callback, object state) => _starting.Add((callback, state));

        public void OnCompleted(Func<object, Task> callback, object state)
        {
        }
    }
}
