using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Sojourn.AspNetCore;

namespace Sojourn.ExpressConformance;

/// <summary>Reads SESSION_OPTIONS (contract, section 2).</summary>
internal static class OptionsJson
{
    public static void Read(JsonObject from, ExpressSessionOptions to, IdSequence ids)
    {
        foreach (var (name, value) in from)
        {
            switch (name)
            {
                case "secret":
                    to.Secrets = [.. (value is JsonArray several ? several : [value!.DeepClone()]).Select(Secret)];
                    if (to.Secrets.Count == 0)
                    {
                        throw new RefusedAtConstructionException("secret option array must contain one or more strings");
                    }

                    break;
                case "name" or "key":
                    to.Name = from["name"]?.GetValue<string>() ?? value!.GetValue<string>();
                    break;
                case "resave":
                    to.Resave = value!.GetValue<bool>();
                    break;
                case "saveUninitialized":
                    to.SaveUninitialized = value!.GetValue<bool>();
                    break;
                case "rolling":
                    to.Rolling = value!.GetValue<bool>();
                    break;
                case "proxy":
                    to.Proxy = value?.GetValue<bool>();
                    break;
                case "unset":
                    to.Unset = value!.GetValue<string>() switch
                    {
                        "keep" => UnsetBehavior.Keep,
                        "destroy" => UnsetBehavior.Destroy,
                        _ => throw new RefusedAtConstructionException("unset option must be \"destroy\" or \"keep\""),
                    };
                    break;
                case "genid":
                    to.GenId = Generator(value!, ids);
                    break;
                case "cookie":
                    ReadCookieOption(value!.AsObject(), to);
                    break;
            }
        }
    }

    public static DateTimeOffset? ReadDate(JsonNode? value)
    {
        if (value is JsonObject date)
        {
            return date["$date"] is { } iso ? DateTimeOffset.Parse(iso.GetValue<string>(), CultureInfo.InvariantCulture)
                : date["$in"] is { } milliseconds ? TimeProvider.System.GetUtcNow().AddMilliseconds(milliseconds.GetValue<double>())
                : throw new FormatException("Invalid time value");
        }

        return value?.GetValueKind() == JsonValueKind.String ? DateTimeOffset.Parse(value.GetValue<string>(), CultureInfo.InvariantCulture) : null;
    }

    public static SessionCookiePriority ReadPriority(string text) => text.ToUpperInvariant() switch
    {
        "LOW" => SessionCookiePriority.Low,
        "MEDIUM" => SessionCookiePriority.Medium,
        "HIGH" => SessionCookiePriority.High,
        _ => throw new ArgumentException($"option priority is invalid: {text}"),
    };

    private static ExpressSecret Secret(JsonNode? value) =>
        value is JsonObject hex ? Convert.FromHexString(hex["$hex"]!.GetValue<string>()) : value!.GetValue<string>();

    private static Func<HttpContext, string> Generator(JsonNode genid, IdSequence ids)
    {
        var generator = genid as JsonObject ?? throw new RefusedAtConstructionException("genid option must be a function");
        if (generator["$const"] is { } text)
        {
            return _ => text.GetValue<string>();
        }

        if (generator["$seq"] is { } prefix)
        {
            return _ => string.Create(CultureInfo.InvariantCulture, $"{prefix.GetValue<string>()}{ids.Next()}");
        }

        return context => context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
    }

    private static void ReadCookieOption(JsonObject cookie, ExpressSessionOptions to)
    {
        if (cookie["$fn"] is not { } function)
        {
            to.Cookie = Cookie(cookie);
            return;
        }

        var pathFromUrl = function.GetValue<string>() == "pathFromUrl";
        to.CookieByRequest = context =>
        {
            var made = Cookie(cookie);
            if (pathFromUrl)
            {
                made.Path = context.Request.PathBase.Value + context.Request.Path.Value;
            }

            return made;
        };
    }

    private static ExpressCookieOptions Cookie(JsonObject from)
    {
        var to = new ExpressCookieOptions();
        foreach (var (name, value) in from)
        {
            switch (name)
            {
                case "path":
                    to.Path = value!.GetValue<string>();
                    break;
                case "domain":
                    to.Domain = value?.GetValue<string>();
                    break;
                case "httpOnly":
                    to.HttpOnly = value!.GetValue<bool>();
                    break;
                case "secure":
                    to.Secure = value?.GetValueKind() switch
                    {
                        JsonValueKind.True => CookieSecure.Always,
                        JsonValueKind.False => CookieSecure.Never,
                        JsonValueKind.String => CookieSecure.AsRequest,
                        _ => null,
                    };
                    break;
                case "sameSite":
                    to.SameSite = value?.GetValueKind() switch
                    {
                        JsonValueKind.True => ExpressSameSite.True,
                        JsonValueKind.False => ExpressSameSite.False,
                        JsonValueKind.String => Enum.Parse<ExpressSameSite>(value.GetValue<string>(), ignoreCase: true),
                        _ => ExpressSameSite.Unset,
                    };
                    break;
                case "maxAge":
                    to.MaxAge = value is null ? null : TimeSpan.FromMilliseconds(value.GetValue<double>());
                    break;
                case "expires":
                    to.Expires = ReadDate(value);
                    break;
                case "partitioned":
                    to.Partitioned = value!.GetValue<bool>();
                    break;
                case "priority":
                    to.Priority = ReadPriority(value!.GetValue<string>());
                    break;
            }
        }

        return to;
    }
}

/// <summary>Options that express-session refuses at once; others it finds out about when it writes a cookie.</summary>
internal sealed class RefusedAtConstructionException(string message) : Exception(message);
