using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Sojourn.Browser.Tests;

/// <summary>
/// An application with the dashboard and 100,000 sessions in SQLite, the last of them of the last ten minutes; a second kind of session beside it.
/// </summary>
public sealed class DashboardFixture : IAsyncLifetime
{
    public const int Sessions = 100_000;
    private const int Lately = 1_500;

    private static readonly string[] Agents =
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/20.0 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 20_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
        "Mozilla/5.0 (X11; Linux x86_64; rv:152.0) Gecko/20100101 Firefox/152.0",
    ];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("sojourn-dashboard-");
    private readonly ShiftedTime _time = new();
    private WebApplication _app = null!;

    public string Address { get; private set; } = "";

    public SessionManager Manager => _app.Services.GetRequiredService<SessionManager>();

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = "Production", ApplicationName = "Wayside" });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(_time);
        builder.Services.AddSojourn(o =>
        {
            o.Secrets = ["a secret that the browser tests alone know", "and the one that came before it, rotated out"];
            (o.IdleTimeout, o.MaxSessionsPerSubject) = (TimeSpan.FromHours(12), 50);
            (o.Cookie.Name, o.Cookie.Secure) = ("sid", CookieSecure.AsRequest);
        }).UseSqlite($"Data Source={Path.Combine(_directory.FullName, "sessions.db")}", o => o.Durability = Sqlite.SqliteDurability.Normal);
        builder.Services.AddSojourn("admin", o => (o.Cookie.Name, o.Cookie.Secure) = ("sid-admin", CookieSecure.AsRequest));
        builder.Services.AddAuthentication().AddSojourn();
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy("readers", policy => policy.RequireRole("reader"))
            .AddPolicy("enders", policy => policy.RequireRole("ender"))
            .AddPolicy("lookers", policy => policy.RequireRole("looker"));
        builder.Services.AddSojournDashboard(o => (o.ReadPolicy, o.EndPolicy, o.ValuesPolicy) = ("readers", "enders", "lookers"));
        _app = builder.Build();
        _app.Urls.Add("http://127.0.0.1:0");
        _app.UseSojourn();
        _app.MapPost("/in/{user}", (HttpContext context, string user) => context.SignInAsync(new ClaimsPrincipal(new ClaimsIdentity(
            [new(ClaimTypes.Name, user), .. new[] { "reader", "ender", "looker" }.Select(role => new Claim(ClaimTypes.Role, role))], "test"))));
        _app.MapSojournDashboard("/sessions");
        await _app.StartAsync();
        Address = _app.Urls.First();
        await FillAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    private async Task FillAsync()
    {
        using var operatorClient = new HttpClient { BaseAddress = new Uri(Address) };
        (await operatorClient.PostAsync("/in/warden", null)).EnsureSuccessStatusCode();
        const int Batches = 50;
        for (var batch = 0; batch < Batches; batch++)
        {
            _time.Shift = -TimeSpan.FromHours(11) * (Batches - batch) / Batches - TimeSpan.FromMinutes(11);
            await CreateAsync((Sessions - Lately) / Batches * batch, (Sessions - Lately) / Batches);
        }

        var made = (Sessions - Lately) / Batches * Batches;
        const int Steps = 60;
        for (var step = 0; step < Steps; step++)
        {
            _time.Shift = -TimeSpan.FromSeconds(10 * (Steps - 1 - step));
            var count = step == Steps - 1 ? Sessions - made : (int)(Lately / Steps * (1 + (0.8 * Math.Sin(step / 6.0))));
            await CreateAsync(made, Math.Min(count, Sessions - made));
            made += Math.Min(count, Sessions - made);
            (await operatorClient.GetAsync("/sessions")).EnsureSuccessStatusCode();
        }
    }

    private Task CreateAsync(int from, int count) =>
        Parallel.ForAsync(from, from + count, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, cancellationToken) =>
    {
        var session = Manager.Create();
        session.Set("cart", new[] { i, i + 1 });
        session.Set("theme", i % 2 == 0 ? "dark" : "light");
        if (i % 5 < 3)
        {
            await session.SignInAsync(
                "user-" + (i % 40_000).ToString("D5", CultureInfo.InvariantCulture),
                new SessionSignIn { Device = new SessionDevice { Agent = Agents[i / 5 % Agents.Length], Network = $"203.0.{i % 256}.0/24" } },
                cancellationToken);
        }

        await Manager.CommitAsync(session, cancellationToken);
        if (i >= Sessions - Lately && i % 7 == 0)
        {
            // What ended is made up for, so that the number is what it says.
            var ended = Manager.Create();
            ended.Set("n", i);
            await Manager.CommitAsync(ended, cancellationToken);
            await ended.DestroyAsync(cancellationToken);
        }
    });

    /// <summary>The system's clock, set back while the past is made.</summary>
    private sealed class ShiftedTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Shift;
    }
}
