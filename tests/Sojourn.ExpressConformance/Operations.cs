using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;

namespace Sojourn.ExpressConformance;

/// <summary>What the operation <c>throw</c> throws.</summary>
internal sealed class OperationException(string message, int status) : Exception(message)
{
    public int Status => status;
}

/// <summary>The operations endpoint (contract, section 6): each operation on the request's session in turn, one result each.</summary>
internal sealed class Operations(HttpContext context, RecordingStore store)
{
    private readonly Session? _session = context.Features.Get<ISessionFeature>() is null ? null : context.GetSession();
    private bool _isGone;
    private bool _hasEnded;
    private bool _hasWritten;

    private HttpResponse Response => context.Response;

    private Session? Live => _isGone ? null : _session;

    public static string MessageOf(Exception e) => e is SessionStoreException { InnerException: { } inner } ? inner.Message : e.Message;

    public async Task RunAsync()
    {
        var results = new JsonArray();
        foreach (var operation in await ReadAsync())
        {
            var arguments = operation!.AsArray();
            results.Add(await RunAsync(arguments[0]!.GetValue<string>(), [.. arguments.Skip(1)]));
        }

        if (_hasEnded || _hasWritten || HttpMethods.IsHead(context.Request.Method) || Response.StatusCode is 204 or 304)
        {
            return;
        }

        var body = Encoding.UTF8.GetBytes(new JsonObject { ["results"] = results }.ToJsonString());
        if (!Response.HasStarted)
        {
            Response.ContentType = "application/json";
            Response.ContentLength = body.Length;
        }

        await Response.Body.WriteAsync(body);
    }

    private async Task<JsonArray> ReadAsync()
    {
        if (context.Request.Headers["X-Ops"].ToString() is { Length: > 0 } header)
        {
            return JsonNode.Parse(WebEncoders.Base64UrlDecode(header))!.AsArray();
        }

        using var reader = new StreamReader(context.Request.Body);
        var text = await reader.ReadToEndAsync();
        return text.Length > 0 ? JsonNode.Parse(text)!.AsArray() : [];
    }

    private async Task<JsonNode?> RunAsync(string operation, JsonNode?[] arguments)
    {
        if (RunOnResponse(operation, arguments) is { } task)
        {
            await task;
            return "ok";
        }

        switch (operation)
        {
            case "hasSession":
                return Live is not null;
            case "sessionID":
                return _session?.Id;
            case "request.secure":
                return context.Request.IsHttps;
            case "sleep":
                await Task.Delay(TimeSpan.FromMilliseconds(arguments[0]!.GetValue<double>()), TimeProvider.System);
                return "ok";
            case "throw":
                throw new OperationException(Text(arguments.ElementAtOrDefault(0)) ?? "boom!", arguments.Length > 1 ? arguments[1]!.GetValue<int>() : 500);
            case "unset" or "unset.delete":
                _session?.Unset();
                _isGone = true;
                return "ok";
            case "store.clear":
                await store.ClearAsync();
                return "ok";
            case "node.bogusSessionID":
                return "ok";
        }

        return Live is { } session ? await RunOnSessionAsync(session, operation, arguments) : new JsonObject { ["$noSession"] = true };
    }

    private Task? RunOnResponse(string operation, JsonNode?[] arguments)
    {
        switch (operation)
        {
            case "status":
                Response.StatusCode = arguments[0]!.GetValue<int>();
                return Task.CompletedTask;
            case "header":
                Response.Headers[Text(arguments[0])!] = Text(arguments[1]);
                return Task.CompletedTask;
            case "redirect":
                Response.StatusCode = StatusCodes.Status302Found;
                Response.Headers.Location = Text(arguments[0]);
                return Task.CompletedTask;
            case "setCookie":
                Response.Headers.Append("Set-Cookie", Text(arguments[0]));
                return Task.CompletedTask;
            case "writeHead":
                Response.StatusCode = arguments[0]!.GetValue<int>();
                foreach (var (name, value) in arguments.ElementAtOrDefault(1)?.AsObject() ?? [])
                {
                    Response.Headers.Append(name, value is JsonArray several ? several.Select(Text).ToArray() : new[] { Text(value) });
                }

                return Response.StartAsync();
            case "flush":
                return Response.StartAsync();
            case "write":
                _hasWritten = true;
                return Response.WriteAsync(Text(arguments[0])!);
            case "end" when _hasEnded:
                return Task.CompletedTask;
            case "end":
                _hasEnded = true;
                return EndAsync(Text(arguments.ElementAtOrDefault(0)));
            default:
                return null;
        }
    }

    private async Task EndAsync(string? text)
    {
        if (text is not null)
        {
            if (!Response.HasStarted)
            {
                Response.ContentLength ??= Encoding.UTF8.GetByteCount(text);
            }

            await Response.WriteAsync(text);
        }

        await Response.CompleteAsync();
    }

    private async Task<JsonNode?> RunOnSessionAsync(Session session, string operation, JsonNode?[] arguments)
    {
        switch (operation)
        {
            case "get":
                return session.Get<JsonNode>(Text(arguments[0])!)?.DeepClone();
            case "set":
                session.Set(Text(arguments[0])!, Value(arguments[1]));
                return "ok";
            case "delete":
                session.Remove(Text(arguments[0])!);
                return "ok";
            case "incr":
                var sum = Number(session.Get<JsonNode>(Text(arguments[0])!)) + (arguments.Length > 1 ? Number(arguments[1]) : 1);
                session.Set(Text(arguments[0])!, sum);
                return sum;
            case "push":
                Push(session, Text(arguments[0])!, Value(arguments[1]));
                return "ok";
            case "keys":
                return new JsonArray([.. session.Names.Append("cookie").Order(StringComparer.Ordinal).Select(name => JsonValue.Create(name))]);
            case "data":
                return new JsonObject(session.Names.Select(name => KeyValuePair.Create(name, session.Get<JsonNode>(name)?.DeepClone())));
            case "getPath":
                return Walk(session, arguments[0]!.AsArray(), create: false) is var (parent, last) && parent is not null
                    ? parent[last]?.DeepClone()
                    : OfSession(session, arguments[0]!.AsArray());
            case "setPath":
                SetPath(session, arguments[0]!.AsArray(), Value(arguments[1]));
                return "ok";
            case "incrPath":
                var path = arguments[0]!.AsArray();
                var incremented = Number(GetPath(session, path)) + 1;
                SetPath(session, path, JsonValue.Create(incremented));
                return incremented;
            case "id":
                return session.Id;
            case "store.has":
                return (await store.DumpAsync())[session.Id] is not null;
            case "store.get":
                return (await store.DumpAsync())[session.Id]?.DeepClone();
            case "cookie":
                return CookieOperations.ToJson(session.Cookie);
            case "cookie.get":
                return CookieOperations.Get(session.Cookie, Text(arguments[0])!);
            case "cookie.set":
                return CookieOperations.Set(session.Cookie, Text(arguments[0])!, arguments[1]);
            case "touch" or "resetMaxAge":
                session.Touch();
                session.Cookie.MaxAge = session.Cookie.MaxAge;
                return "ok";
            case "save":
                return await CalledAsync(() => session.SaveAsync());
            case "reload":
                return await CalledAsync(() => session.ReloadAsync());
            case "regenerate":
                return await CalledAsync(() => session.RegenerateAsync());
            case "destroy":
                _isGone = true;
                return await CalledAsync(() => session.DestroyAsync());
            default:
                throw new OperationException("unknown op " + operation, 500);
        }
    }

    private static async Task<JsonNode?> CalledAsync(Func<ValueTask> verb)
    {
        try
        {
            await verb();
            return "ok";
        }
        catch (SessionEndedException)
        {
            return new JsonObject { ["error"] = "failed to load session" };
        }
        catch (SessionStoreException e)
        {
            return new JsonObject { ["error"] = MessageOf(e) };
        }
    }

    private static void Push(Session session, string name, JsonNode? value)
    {
        if (session.Get<JsonNode>(name) is JsonArray array)
        {
            array.Add(value);
        }
        else
        {
            session.Set<JsonNode>(name, new JsonArray(value));
        }
    }

    private static JsonNode? OfSession(Session session, JsonArray path) => path.Count == 1 ? session.Get<JsonNode>(Text(path[0])!)?.DeepClone() : null;

    private static JsonNode? GetPath(Session session, JsonArray path) =>
        Walk(session, path, create: false) is var (parent, last) && parent is not null ? parent[last] : OfSession(session, path);

    private static void SetPath(Session session, JsonArray path, JsonNode? value)
    {
        var (parent, last) = Walk(session, path, create: true);
        if (parent is null)
        {
            session.Set(last, value);
        }
        else
        {
            parent[last] = value;
        }
    }

    /// <summary>The object that holds the path's last name; null where that is the session itself, or there is none.</summary>
    private static (JsonObject? Parent, string Last) Walk(Session session, JsonArray path, bool create)
    {
        var last = Text(path[^1])!;
        if (path.Count == 1)
        {
            return (null, last);
        }

        var root = Text(path[0])!;
        if (session.Get<JsonNode>(root) is not JsonObject parent)
        {
            if (!create)
            {
                return (null, last);
            }

            session.Set<JsonNode>(root, parent = []);
        }

        foreach (var name in path.Skip(1).SkipLast(1))
        {
            if (parent[Text(name)!] is not JsonObject child)
            {
                if (!create)
                {
                    return (null, last);
                }

                parent[Text(name)!] = child = [];
            }

            parent = child;
        }

        return (parent, last);
    }

    private static string? Text(JsonNode? value) =>
        value is null ? null : value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString();

    private static double Number(JsonNode? value) => value?.GetValueKind() == JsonValueKind.Number ? value.GetValue<double>() : 0;

    /// <summary>A date is the text that JavaScript writes of it.</summary>
    private static JsonNode? Value(JsonNode? value) => value is JsonObject { Count: 1 } date && (date.ContainsKey("$date") || date.ContainsKey("$in"))
        ? CookieOperations.Iso(OptionsJson.ReadDate(date)!.Value)
        : value?.DeepClone();
}
