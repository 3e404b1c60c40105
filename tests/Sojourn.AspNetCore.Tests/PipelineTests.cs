using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>The session among other middleware, and in every way that a response can be written.</summary>
public sealed class PipelineTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(HttpProtocols.Http1)]
    [InlineData(HttpProtocols.Http2)]
    public async Task Every_kind_of_response_saves_first(HttpProtocols protocols)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapMethods("/head", ["HEAD"], (Session session) => Count(session));
                app.MapGet("/204", (Session session) =>
                {
                    Count(session);
                    return TypedResults.NoContent();
                });
                app.MapGet("/304", (Session session) =>
                {
                    Count(session);
                    return TypedResults.StatusCode(304);
                });
                app.MapGet("/json", (Session session) =>
                {
                    Count(session);
                    return TypedResults.Ok(new[] { 1, 2 });
                });
                app.MapGet("/redirect", (Session session) =>
                {
                    Count(session);
                    return TypedResults.Redirect("/count");
                });
                app.MapGet("/count", (Session session) => session.Get<int>("count"));
            },
            protocols: protocols);
        using var client = app.NewClient();
        client.DefaultRequestVersion = protocols == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11;
        client.DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        var expected = 0;
        foreach (var path in (string[])["/head", "/204", "/304", "/json", "/redirect"])
        {
            using var request = new HttpRequestMessage(path == "/head" ? HttpMethod.Head : HttpMethod.Get, path)
            {
                Version = client.DefaultRequestVersion,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            using var response = await client.SendAsync(request, Token);
            Assert.True((int)response.StatusCode < 400, path);
            Assert.Equal(expected == 0, response.Headers.Contains("Set-Cookie"));
            Assert.Equal((++expected).ToString(), await client.GetStringAsync("/count", Token));
        }
    }

    [Fact]
    public async Task Changes_after_the_first_chunk_are_saved_at_the_end()
    {
        await using var app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/set", (Session session) => Count(session));
            app.MapGet("/stream", async (Session session, HttpResponse response) =>
            {
                await response.WriteAsync("one ");
                Count(session);
                await response.WriteAsync("two");
            });
            app.MapGet("/count", (Session session) => session.Get<int>("count"));
        });
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        Assert.Equal("one two", await client.GetStringAsync("/stream", Token));
        Assert.Equal("2", await client.GetStringAsync("/count", Token));
    }

    [Fact]
    public async Task A_new_session_cannot_begin_after_the_first_chunk()
    {
        await using var app = await TestApp.StartAsync(app => app.MapGet("/stream", async (Session session, HttpResponse response) =>
        {
            await response.WriteAsync("one ");
            Assert.Throws<InvalidOperationException>(() => session.Set("name", "Ada"));
            await response.WriteAsync("two");
        }));
        using var client = app.NewClient();
        Assert.Equal("one two", await client.GetStringAsync("/stream", Token));
    }

    [Fact]
    public async Task Server_sent_events_carry_the_cookie_and_save_before_and_after_the_first_event()
    {
        await using var app = await TestApp.StartAsync(app =>
        {
            app.MapGet("/events", (Session session) =>
            {
                Count(session);
                return TypedResults.ServerSentEvents(Events(session));
            });
            app.MapGet("/count", (Session session) => session.Get<int>("count"));
        });
        using var client = app.NewClient();
        using var response = await client.GetAsync("/events", Token);
        Assert.Single(response.Headers.GetValues("Set-Cookie"));
        Assert.Contains("data: second", await response.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        Assert.Equal("2", await client.GetStringAsync("/count", Token));

        static async IAsyncEnumerable<string> Events(Session session)
        {
            yield return "first";
            await Task.Yield();
            Count(session);
            yield return "second";
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_handler_that_throws_saves_nothing_that_it_had_not_saved_itself(bool handlerIsOutside)
    {
        await using var app = await StartThrowingAsync(handlerIsOutside, null);
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        using var response = await client.GetAsync("/throw", Token);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("sorry", await response.Content.ReadAsStringAsync(Token));
        Assert.Equal("saved", await client.GetStringAsync("/get", Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CommitOnException_saves_what_a_handler_changed_before_it_threw(bool handlerIsOutside)
    {
        await using var app = await StartThrowingAsync(handlerIsOutside, o => o.CommitOnException = true);
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        using var response = await client.GetAsync("/throw", Token);
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Equal("not saved", await client.GetStringAsync("/get", Token));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_status_code_page_goes_on_with_the_same_session(bool pageIsOutside)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (pageIsOutside)
                {
                    app.UseStatusCodePagesWithReExecute("/page");
                }

                app.UseRouting();
                app.UseSojourn();
                if (!pageIsOutside)
                {
                    app.UseStatusCodePagesWithReExecute("/page");
                    app.UseRouting();
                }

                app.MapGet("/missing", (Session session) =>
                {
                    Count(session);
                    return TypedResults.NotFound();
                });
                app.MapGet("/page", (Session session) =>
                {
                    Count(session);
                    return "page";
                });
                app.MapGet("/count", (Session session) => session.Get<int>("count"));
            },
            useSojourn: false,
            useRouting: false);
        using var client = app.NewClient();
        using var response = await client.GetAsync("/missing", Token);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("page", await response.Content.ReadAsStringAsync(Token));
        Assert.Single(response.Headers.GetValues("Set-Cookie"));
        Assert.Equal("2", await client.GetStringAsync("/count", Token));
    }

    [Fact]
    public async Task A_client_that_goes_away_does_not_cancel_the_commit()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        var aborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/count", (Session session) => session.Get<int>("count"));
                app.MapGet("/set", (Session session, HttpContext context) =>
                {
                    context.RequestAborted.Register(() => aborted.TrySetResult());
                    Count(session);
                });
            },
            store);
        using var client = app.NewClient();
        await client.GetStringAsync("/set", Token);
        var held = store.On(StoreVerb.Replace).Hold();
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var request = client.GetAsync("/set", leave.Token);
        await held.Arrived;
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await aborted.Task;
        held.Release();
        while (await client.GetStringAsync("/count", Token) != "2")
        {
            await Task.Delay(10, Token);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Compression_inside_and_outside_changes_nothing(bool isOutside)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (isOutside)
                {
                    app.UseResponseCompression();
                }

                app.UseSojourn();
                if (!isOutside)
                {
                    app.UseResponseCompression();
                }

                app.MapGet("/set", (Session session) =>
                {
                    Count(session);
                    return TypedResults.Text(new string('x', 10_000), "text/plain");
                });
                app.MapGet("/count", (Session session) => session.Get<int>("count"));
            },
            services: services => services.AddResponseCompression(),
            useSojourn: false);
        using var client = app.NewClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/set") { Headers = { { "Accept-Encoding", "gzip" } } };
        using var response = await client.SendAsync(request, Token);
        Assert.Equal("gzip", Assert.Single(response.Content.Headers.ContentEncoding));
        Assert.Single(response.Headers.GetValues("Set-Cookie"));
        using var unpacked = new StreamReader(
            new System.IO.Compression.GZipStream(await response.Content.ReadAsStreamAsync(Token), System.IO.Compression.CompressionMode.Decompress));
        Assert.Equal(new string('x', 10_000), await unpacked.ReadToEndAsync(Token));
        Assert.Equal("1", await client.GetStringAsync("/count", Token));
    }

    [Fact]
    public async Task Synchronous_writes_are_held_until_the_session_is_saved()
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                app.MapGet("/set", (Session session, HttpResponse response) =>
                {
                    Count(session);
                    response.Body.Write(Encoding.UTF8.GetBytes("one "));
                    response.Body.Flush();
                    Count(session);
                    response.Body.Write(Encoding.UTF8.GetBytes("two"));
                });
                app.MapGet("/count", (Session session) => session.Get<int>("count"));
            },
            kestrelOptions: kestrel => kestrel.AllowSynchronousIO = true);
        using var client = app.NewClient();
        Assert.Equal("one two", await client.GetStringAsync("/set", Token));
        Assert.Equal("2", await client.GetStringAsync("/count", Token));
    }

    private static void Count(Session session) => session.Update<int>("count", count => count + 1);

    private static Task<TestApp> StartThrowingAsync(bool handlerIsOutside, Action<SojournOptions>? options) => TestApp.StartAsync(
        app =>
        {
            if (handlerIsOutside)
            {
                app.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("sorry")));
            }

            app.UseSojourn();
            if (!handlerIsOutside)
            {
                app.UseExceptionHandler(error => error.Run(context => context.Response.WriteAsync("sorry")));
            }

            app.MapGet("/set", (Session session) => session.Set("name", "Ada"));
            app.MapGet("/get", (Session session) => session.Get<string>("name"));
            app.MapGet("/throw", async (Session session) =>
            {
                session.Set("name", "saved");
                await session.SaveAsync();
                session.Set("name", "not saved");
                throw new InvalidOperationException("on purpose");
            });
        },
        options: options,
        useSojourn: false);

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task The_page_of_a_status_may_say_what_it_likes_of_the_session(bool isOutside, bool isReadOnly)
    {
        await using var app = await TestApp.StartAsync(
            app =>
            {
                if (isOutside)
                {
                    app.UseStatusCodePagesWithReExecute("/page");
                }

                app.UseRouting();
                app.UseSojourn();
                if (!isOutside)
                {
                    app.UseStatusCodePagesWithReExecute("/page");
                    app.UseRouting();
                }

                app.MapPost("/begin", (Session session) => session.Set("name", "ada"));
                var page = app.MapGet("/page", () => "page");
                _ = isReadOnly ? page.WithReadOnlySession() : page.WithoutSession();
            },
            useSojourn: false,
            useRouting: false);
        using var client = app.NewClient();
        await client.PostAsync("/begin", null, Token);
        using var answer = await client.GetAsync("/nowhere", Token);
        Assert.Equal((HttpStatusCode.NotFound, "page"), (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token)));
    }
}
