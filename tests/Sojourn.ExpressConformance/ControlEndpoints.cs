using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;

namespace Sojourn.ExpressConformance;

/// <summary>What the harness asks beside the sessions (contract, section 4).</summary>
internal static class ControlEndpoints
{
    private static int _underWay;

    public static async Task HandleAsync(HttpContext context, RequestDelegate next, RecordingStore store, IdSequence ids, List<string> lateErrors)
    {
        var path = context.Request.Path.Value ?? "/";
        switch ((context.Request.Method, path))
        {
            case ("GET", "/__ready"):
                await AnswerAsync(context, new JsonObject { ["ready"] = true });
                return;
            case ("GET", "/store"):
                await AnswerAsync(context, await store.DumpAsync());
                return;
            case ("DELETE", "/store"):
                await store.ClearAsync();
                break;
            case ("POST", "/__reset"):
                await store.ResetAsync();
                ids.Reset();
                lateErrors.Clear();
                break;
            case ("GET", "/__probe"):
                while (Volatile.Read(ref _underWay) > 0)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
                }

                var probe = new JsonObject
                {
                    ["store"] = await store.DumpAsync(),
                    ["calls"] = store.TakeCalls(),
                    ["lateErrors"] = new JsonArray([.. lateErrors.Select(error => JsonValue.Create(error))]),
                };
                lateErrors.Clear();
                await AnswerAsync(context, probe);
                return;
            case ("POST", "/__fault"):
                store.SetFaults(await JsonNode.ParseAsync(context.Request.Body) as JsonObject ?? []);
                break;
            case ("POST", "/__event"):
                // A store of Sojourn's has no such events: a call to a database that is away fails.
                break;
            case ("PUT", _) when path.StartsWith("/store/", StringComparison.Ordinal):
                using (var body = new MemoryStream())
                {
                    await context.Request.Body.CopyToAsync(body);
                    var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
                    await store.PutRawAsync(Uri.UnescapeDataString(target["/store/".Length..]), body.ToArray());
                }

                break;
            default:
                Interlocked.Increment(ref _underWay);
                try
                {
                    await next(context);
                }
                finally
                {
                    Interlocked.Decrement(ref _underWay);
                }

                return;
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static Task AnswerAsync(HttpContext context, JsonObject json)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(json.ToJsonString());
    }
}
