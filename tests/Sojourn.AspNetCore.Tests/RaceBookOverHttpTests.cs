using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Transport;
using Sojourn.Events;
using Sojourn.Races;
using Sojourn.Storage;

namespace Sojourn.AspNetCore.Tests;

/// <summary>The race book with requests to servers: what visitors are told, and the cookies that they get.</summary>
public sealed class RaceBookOverHttpTests(ITestOutputHelper output)
{
    [Fact]
    public async Task No_schedule_of_two_requests_ends_wrongly_or_leaves_a_visitor_with_a_dead_cookie()
    {
        await using var course = await Course.OpenAsync(static clock => new MemorySessionStore(timeProvider: clock), isShared: true, HttpProcess.StartAsync);
        var report = await Task.Run(() => new RaceBook(course).RunAsAskedAsync(200));
        output.WriteLine(report.ToString());
        Assert.True(report.Failed == 0, "Schedules ended wrongly: see the output.");
    }

    /// <summary>An application on Kestrel.</summary>
    private sealed class HttpProcess : Process
    {
        private const string VisitHeader = "Visit";
        private const string HandleHeader = "Handle";

        private static readonly SessionToken Token = new(Options.Create(new SojournOptions { Secrets = [Secret] }));

        private readonly TestApp _app;
        private readonly HttpClient _client;
        private readonly ConcurrentDictionary<string, Visit> _visits;

        private HttpProcess(ISessionStore store, TestApp app, ConcurrentDictionary<string, Visit> visits)
            : base(store, app.Services) => (_app, _client, _visits) = (app, app.NewBareClient(), visits);

        public static async Task<Process> StartAsync(ISessionStore store, Action<SojournOptions> configure, TimeProvider clock, RaceEvents events)
        {
            var visits = new ConcurrentDictionary<string, Visit>(StringComparer.Ordinal);
            var app = await TestApp.StartAsync(
                app =>
                {
                    app.Use((context, next) =>
                    {
                        Scheduler.Continue(visits[context.Request.Headers[VisitHeader]!].Place);
                        return next();
                    });
                    app.UseSojourn();
                    app.MapPost("/", async (HttpContext context, Session session) =>
                    {
                        if (session.IsNew && context.Request.Headers.ContainsKey("Cookie"))
                        {
                            return Results.NoContent();
                        }

                        await visits[context.Request.Headers[VisitHeader]!].Handler(session);
                        context.Response.Headers[HandleHeader] = session.KnownHandle;
                        return Results.Ok();
                    });
                },
                store,
                configure,
                services => services.AddSingleton<ISessionEventHandler>(events),
                clock,
                useSojourn: false);
            return new HttpProcess(store, app, visits);
        }

        public override async Task<Answer> AnswerAsync(string? id, Func<Session, ValueTask> handler)
        {
            var visit = Path.GetRandomFileName();
            _visits[visit] = new Visit(handler, Scheduler.Place);
            using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Headers = { { VisitHeader, visit } } };
            if (id is not null)
            {
                request.Headers.Add("Cookie", "sid=" + SessionToken.Encode(Token.Write(id)));
            }

            using var response = await _client.SendAsync(request);
            _visits.TryRemove(visit, out _);
            var outcome = response.StatusCode switch
            {
                HttpStatusCode.OK => RaceOutcome.Done,
                HttpStatusCode.NoContent => RaceOutcome.Stranger,
                HttpStatusCode.Conflict => RaceOutcome.Ended,
                var other => throw new InvalidOperationException($"The answer was {other}."),
            };
            return new Answer(outcome, NewId(response), response.Headers.TryGetValues(HandleHeader, out var handle) ? handle.Single() : null);
        }

        public override async ValueTask DisposeAsync()
        {
            _client.Dispose();
            await _app.DisposeAsync();
        }

        /// <summary>The id in the cookie that was sent, unless it was cleared.</summary>
        private static string? NewId(HttpResponseMessage response)
        {
            if (!response.Headers.TryGetValues("Set-Cookie", out var cookies))
            {
                return null;
            }

            var value = cookies.Single().Split(';')[0].Split('=', 2)[1];
            return value.Length == 0 ? null : Token.TryRead(
                value, isEncoded: true, out var id, out _) ? id : throw new InvalidOperationException("The cookie does not verify.");
        }

        /// <summary>What a request does, and in whose place.</summary>
        private sealed record Visit(Func<Session, ValueTask> Handler, object? Place);
    }
}
