using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Nothing is said saved that was not: whatever a handler answers with, a commit that fails makes it an error.</summary>
public sealed class HonestResponseTests
{
    /// <summary>What no failed response may hold.</summary>
    private const string Saved = "It is saved.";

    private static readonly string[] Answers =
        ["text", "text-with-length", "result-text", "json", "file", "bytes", "redirect", "no-content", "nothing", "stream", "chunks", "writer", "sync-write", "start-first", "complete", "controller", "view"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> Cases()
    {
        var cases = new TheoryData<string, string, string>();
        foreach (var answer in Answers)
        {
            foreach (var fault in (string[])["fail", "lose", "late"])
            {
                cases.Add(answer, fault, "POST");
            }
        }

        foreach (var answer in (string[])["text", "text-with-length", "json", "file", "nothing"])
        {
            cases.Add(answer, "fail", "HEAD");
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_failed_commit_is_503_and_never_the_handlers_answer(string answer, string fault, string method)
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store, fault == "late");
        using var client = app.NewClient();

        // The same answers are good ones while the store is.
        using (var good = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), "/" + answer), Token))
        {
            Assert.True((int)good.StatusCode is 200 or 204 or 302, $"{answer}: {good.StatusCode}");
        }

        var held = Break(store, StoreVerb.Replace, fault);
        using (var existing = await client.SendAsync(new HttpRequestMessage(new HttpMethod(method), "/" + answer), Token))
        {
            await AssertHonestAsync(existing, method);
        }

        held?.Release();
        store.Clear();
        held = Break(store, StoreVerb.Create, fault);
        using var stranger = app.NewClient();
        using (var begun = await stranger.SendAsync(new HttpRequestMessage(new HttpMethod(method), "/" + answer), Token))
        {
            await AssertHonestAsync(begun, method);
            Assert.False(begun.Headers.Contains("Set-Cookie"));
        }

        held?.Release();
    }

    [Fact]
    public async Task A_handler_that_swallows_the_failure_does_not_make_it_a_success()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store);
        using var client = app.NewClient();
        await client.PostAsync("/text", null, Token);
        store.On(StoreVerb.Replace).Fail();
        foreach (var path in (string[])["/swallow", "/swallow-write"])
        {
            using var answer = await client.PostAsync(path, null, Token);
            await AssertHonestAsync(answer, "POST");
        }
    }

    [Fact]
    public async Task A40_V31_A_session_that_cannot_be_loaded_is_503_and_the_handler_does_not_run()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store);
        using var client = app.NewClient();
        await client.PostAsync("/text", null, Token);
        store.On(StoreVerb.Read).Fail();
        using var answer = await client.PostAsync("/throws", null, Token);
        await AssertHonestAsync(answer, "POST");
    }

    [Fact]
    public async Task What_another_OnStarting_changes_is_saved_or_the_answer_is_an_error()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store);
        using var client = app.NewClient();
        await client.PostAsync("/text", null, Token);
        using (var good = await client.PostAsync("/on-starting", null, Token))
        {
            Assert.Equal(Saved, await good.Content.ReadAsStringAsync(Token));
        }

        Assert.Equal("last words", await client.GetStringAsync("/last", Token));
        store.On(StoreVerb.Replace).Fail();
        using var answer = await client.PostAsync("/on-starting", null, Token);
        Assert.True((int)answer.StatusCode >= 500);
        Assert.DoesNotContain(Saved, await answer.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_late_change_that_cannot_be_saved_breaks_the_response_off()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store);
        using var client = app.NewClient();
        await client.PostAsync("/text", null, Token);
        Assert.Equal(Saved, await client.GetStringAsync("/late-change", Token));
        store.On(StoreVerb.Replace).Fail();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetStringAsync("/late-change", Token));
    }

    [Fact]
    public async Task A_touch_that_fails_is_no_error_to_the_visitor()
    {
        var store = new FaultInjectingStore(new MemorySessionStore());
        await using var app = await StartAsync(store, options: options => options.TouchInterval = TimeSpan.Zero);
        using var client = app.NewClient();
        await client.PostAsync("/text", null, Token);
        store.On(StoreVerb.Touch).Fail();
        Assert.NotEmpty(await client.GetStringAsync("/last", Token));
        Assert.True(store.CallsOf(StoreVerb.Touch) > 0);
    }

    private static HeldCall? Break(FaultInjectingStore store, StoreVerb verb, string fault)
    {
        switch (fault)
        {
            case "fail":
                store.On(verb).Fail();
                return null;
            case "lose":
                store.On(verb).LoseAnswer();
                return null;
            default:
                return store.On(verb).Hold();
        }
    }

    private static async Task AssertHonestAsync(HttpResponseMessage answer, string method)
    {
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.NotNull(answer.Headers.RetryAfter);
        var body = await answer.Content.ReadAsStringAsync(Token);
        Assert.DoesNotContain(Saved, body, StringComparison.Ordinal);
        if (method != "HEAD")
        {
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            Assert.StartsWith("{", body, StringComparison.Ordinal);
            Assert.Contains("urn:sojourn:session-unavailable", body, StringComparison.Ordinal);
        }
    }

    private static Task<TestApp> StartAsync(ISessionStore store, bool isImpatient = false, Action<SojournOptions>? options = null) => TestApp.StartAsync(
        app =>
        {
            void Map(string path, Delegate handler) => app.MapMethods(path, ["GET", "POST", "HEAD"], handler);
            app.MapControllers();
            Map("/text", (HttpContext context) => Change(context).Response.WriteAsync(Saved));
            Map("/text-with-length", (HttpContext context) =>
            {
                Change(context).Response.ContentLength = Saved.Length;
                return context.Response.WriteAsync(Saved);
            });
            Map("/result-text", (HttpContext context) => Answer(context, TypedResults.Text(Saved)));
            Map("/json", (HttpContext context) => Answer(context, TypedResults.Json(new[] { Saved })));
            Map("/file", async (HttpContext context) =>
            {
                var path = Path.GetTempFileName();
                await File.WriteAllTextAsync(path, Saved);
                await Change(context).Response.SendFileAsync(path);
                File.Delete(path);
            });
            Map("/bytes", (HttpContext context) => Answer(context, TypedResults.File(Encoding.UTF8.GetBytes(Saved), "text/plain")));
            Map("/redirect", (HttpContext context) => Answer(context, TypedResults.Redirect("/text")));
            Map("/no-content", (HttpContext context) => Answer(context, TypedResults.NoContent()));
            Map("/nothing", (HttpContext context) => { Change(context); });
            Map("/stream", async (HttpContext context) => await Change(context).Response.Body.WriteAsync(Encoding.UTF8.GetBytes(Saved)));
            Map("/chunks", async (HttpContext context) =>
            {
                Change(context);
                for (var i = 0; i < 3; i++)
                {
                    await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(Saved));
                    await context.Response.Body.FlushAsync();
                }
            });
            Map("/writer", (HttpContext context) =>
            {
                // Written before the change, and never flushed by the handler.
                var bytes = Encoding.UTF8.GetBytes(Saved);
                bytes.CopyTo(context.Response.BodyWriter.GetSpan(bytes.Length));
                context.Response.BodyWriter.Advance(bytes.Length);
                Change(context);
            });
            Map("/sync-write", (HttpContext context) =>
            {
                context.Features.GetRequiredFeature<IHttpBodyControlFeature>().AllowSynchronousIO = true;
                var body = Change(context).Response.Body;
                body.Write(Encoding.UTF8.GetBytes(Saved));
                body.Flush();
            });
            Map("/start-first", async (HttpContext context) =>
            {
                await Change(context).Response.StartAsync();
                await context.Response.WriteAsync(Saved);
            });
            Map("/complete", async (HttpContext context) => await Change(context).Response.CompleteAsync());
            Map("/view", (HttpContext context) => Answer(context, new RazorComponentResult<SavedView>()));
            Map("/swallow", async (HttpContext context) =>
            {
                try
                {
                    await Change(context).GetSession().SaveAsync();
                }
                catch (SessionStoreException)
                {
                }

                return Saved;
            });
            Map("/swallow-write", async (HttpContext context) =>
            {
                try
                {
                    await Change(context).Response.WriteAsync(Saved);
                }
                catch (SessionStoreException)
                {
                    context.Response.StatusCode = 200;
                }
            });
            Map("/throws", string () => throw new InvalidOperationException("The handler ran."));
            Map("/on-starting", (HttpContext context) =>
            {
                context.Response.OnStarting(() =>
                {
                    context.GetSession().Set("last", "last words");
                    context.GetSession().Update<int>("times", times => times + 1);
                    return Task.CompletedTask;
                });
                return Saved;
            });
            Map("/last", (Session session) => session.Get<string>("last") ?? "none");
            Map("/late-change", async (HttpContext context) =>
            {
                await context.Response.WriteAsync(Saved);
                await context.Response.Body.FlushAsync();
                Change(context);
            });
        },
        store,
        o =>
        {
            if (isImpatient)
            {
                o.StoreTimeout = TimeSpan.FromMilliseconds(50);
            }

            options?.Invoke(o);
        },
        services =>
        {
            services.AddControllers().AddApplicationPart(typeof(HonestController).Assembly);
            services.AddRazorComponents();
        });

    private static HttpContext Change(HttpContext context)
    {
        context.GetSession().Update<int>("count", count => count + 1);
        return context;
    }

    private static IResult Answer(HttpContext context, IResult result)
    {
        Change(context);
        return result;
    }

    private sealed class SavedView : ComponentBase
    {
        protected override void BuildRenderTree(RenderTreeBuilder builder) => builder.AddContent(0, Saved);
    }
}

public sealed class HonestController : ControllerBase
{
    [Microsoft.AspNetCore.Mvc.Route("/controller")]
    [AcceptVerbs("GET", "POST", "HEAD")]
    public ContentResult Get()
    {
        HttpContext.GetSession().Update<int>("count", count => count + 1);
        return Content("It is saved.");
    }

    [Fact]
    public async Task A_download_that_is_written_synchronously_is_not_held_in_memory()
    {
        const int Chunk = 1 << 20;
        var most = 0L;
        await using var app = await TestApp.StartAsync(app => app.MapGet("/download", (HttpContext context) =>
        {
            context.Features.GetRequiredFeature<IHttpBodyControlFeature>().AllowSynchronousIO = true;
            var before = GC.GetTotalMemory(forceFullCollection: true);
            var chunk = new byte[Chunk];
            for (var i = 0; i < 100; i++)
            {
                context.Response.Body.Write(chunk);
                context.Response.Body.Flush();
            }

            most = GC.GetTotalMemory(forceFullCollection: true) - before;
            GC.KeepAlive(chunk);
        }));
        using var client = app.NewClient();
        using var answer = await client.GetAsync("/download", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await answer.Content.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken);
        Assert.InRange(most, long.MinValue, 20 * Chunk);
    }
}
