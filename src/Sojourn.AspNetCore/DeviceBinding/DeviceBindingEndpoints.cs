using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Sojourn.Document;
using Sojourn.Events;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>
/// Where the browser registers a device's key and proves it again. Before everything else in the pipeline: a rate limiter's 429, a redirect or a sign-in page
/// in place of these answers would end the browser's binding. Thread-safe.
/// </summary>
internal sealed class DeviceBindingEndpoints(
    SessionServices services, DeviceBinder binder, DeviceBindingMetrics metrics, ILogger<DeviceBindingEndpoints> logger)
{
    private readonly PathString _register = binder.Options.Path + "/register";
    private readonly PathString _refresh = binder.Options.Path + "/refresh";

    /// <summary>Answers a request to one of the two, and no other.</summary>
    public bool TryAnswer(HttpContext context, [NotNullWhen(true)] out Task? answered)
    {
        var path = context.Request.PathBase.Add(context.Request.Path);
        answered = path == _refresh ? AnswerAsync(context, RefreshAsync, metrics.Refreshed)
            : path == _register ? AnswerAsync(context, RegisterAsync, metrics.Registered)
            : null;
        return answered is not null;
    }

    private async Task AnswerAsync(HttpContext context, Func<HttpContext, ValueTask<(int Status, string Result)>> answer, Action<string> count)
    {
        var response = context.Response;
        response.Headers.CacheControl = "no-store";
        response.Headers["Cross-Origin-Resource-Policy"] = "same-origin";
        response.Headers.XFrameOptions = "DENY";
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            response.Headers.Allow = HttpMethods.Post;
            return;
        }

        int status;
        string result;
        try
        {
            // No antiforgery token comes from here; that it is the browser itself who asks, it says in headers that no script can set.
            (status, result) = context.Request.Headers["Sec-Fetch-Site"] == "same-origin"
                ? await answer(context).ConfigureAwait(false)
                : (StatusCodes.Status403Forbidden, "foreign");
        }
        catch (SessionEndedException)
        {
            (status, result) = (StatusCodes.Status401Unauthorized, "no-session");
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            // Whatever it is, the browser is to keep its key and come again.
            logger.BindingUnavailable(e);
            (status, result) = (StatusCodes.Status503ServiceUnavailable, "unavailable");
            response.Headers.RetryAfter = "1";
        }

        count(result);
        if (status == StatusCodes.Status200OK)
        {
            return;
        }

        response.StatusCode = status;
        if (status is not (StatusCodes.Status503ServiceUnavailable or StatusCodes.Status403Forbidden))
        {
            logger.BindingRefused(result);
        }
    }

    /// <summary>Binds the session of a fresh sign-in to the key that the proof brings.</summary>
    private async ValueTask<(int, string)> RegisterAsync(HttpContext context)
    {
        if (await LoadAsync(context).ConfigureAwait(false) is not { KnownSubject: not null } session)
        {
            return (StatusCodes.Status401Unauthorized, "no-session");
        }

        var now = services.Time.GetUtcNow();
        if (session.KnownBinding is not null)
        {
            return (StatusCodes.Status409Conflict, "bound-before");
        }

        if (!binder.MayRegister(session, now))
        {
            return (StatusCodes.Status403Forbidden, "late");
        }

        if (DeviceProof.Read(ProofOf(context), binding: null, out var problem) is not { } proof)
        {
            return (StatusCodes.Status400BadRequest, problem);
        }

        if (!binder.IsOurs(proof.Challenge, session, now))
        {
            return (StatusCodes.Status400BadRequest, "challenge");
        }

        var binding = new SessionBinding(NewText(), proof.Algorithm, proof.PublicKey, now) { Challenge = NewText(), ChallengeExpiresAt = AheadOf(now) };
        if (!await session.BindAsync(binding, CancellationToken.None).ConfigureAwait(false))
        {
            return (StatusCodes.Status409Conflict, "bound-before");
        }

        logger.DeviceBound();
        binder.Cookie.Write(context.Response, binding.Id, now);
        Challenge(context.Response, binding.Id, binding.Challenge);
        await WriteTermsAsync(context, binding.Id).ConfigureAwait(false);
        return (StatusCodes.Status200OK, "bound");
    }

    /// <summary>A new cookie for an answer to the challenge that is open; else the challenge.</summary>
    private async ValueTask<(int, string)> RefreshAsync(HttpContext context)
    {
        if (StructuredHeader.TextOf(context.Request.Headers["Sec-Secure-Session-Id"]) is not { Length: <= 64 } id
            || !id.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            return (StatusCodes.Status400BadRequest, "malformed");
        }

        try
        {
            return await LoadAsync(context).ConfigureAwait(false) switch
            {
                null => Gone(context, id),
                { KnownBinding: { } binding } session when binding.Id == id => await RefreshAsync(context, session, binding).ConfigureAwait(false),
                _ => (StatusCodes.Status401Unauthorized, "other-session"),
            };
        }
        catch (SessionEndedException)
        {
            return Gone(context, id);
        }
    }

    private async ValueTask<(int, string)> RefreshAsync(HttpContext context, Session session, SessionBinding binding)
    {
        var now = services.Time.GetUtcNow();
        if (context.Request.Headers.ContainsKey("Secure-Session-Response"))
        {
            if (DeviceProof.Read(ProofOf(context), binding, out var problem) is not { } proof)
            {
                logger.UnboundUse();
                await services.Manager.Events.RaiseAsync(
                    SessionEventKind.Suspicious, session.KnownHandle, session.KnownSubject, suspicion: SessionSuspicion.UnboundUse).ConfigureAwait(false);
                return (StatusCodes.Status400BadRequest, problem);
            }

            var next = NewText();
            if (proof.Challenge == binding.Challenge && now < binding.ChallengeExpiresAt
                && await session.ReplaceChallengeAsync(binding, next, AheadOf(now), CancellationToken.None).ConfigureAwait(false))
            {
                binder.Cookie.Write(context.Response, binding.Id, now);
                Challenge(context.Response, binding.Id, next);
                return (StatusCodes.Status200OK, "refreshed");
            }
        }

        // The open challenge is told again while it is good: whoever asks without a proof changes nothing.
        var open = session.KnownBinding ?? binding;
        if (open.ChallengeExpiresAt <= now)
        {
            await session.ReplaceChallengeAsync(open, NewText(), now + binder.Options.ChallengeLifetime, CancellationToken.None).ConfigureAwait(false);
            open = session.KnownBinding ?? open;
        }

        Challenge(context.Response, open.Id, open.Challenge);
        return (StatusCodes.Status403Forbidden, "challenged");
    }

    /// <summary>
    /// The session ended, which ends the binding; or it has a new id, which is on its way to the browser: one that refreshes beside the request that renewed
    /// the id must not lose its key by it. So whoever has a token of ours is asked to come once more.
    /// </summary>
    private (int, string) Gone(HttpContext context, string id)
    {
        var now = services.Time.GetUtcNow();
        if (services.Tokens.Read(context.Request, now).Token is not null
            && !(DeviceProof.ClaimedChallenge(ProofOf(context)) is { } challenge && binder.HasComeAgain(challenge, id, now)))
        {
            Challenge(context.Response, id, binder.ComeAgain(id, now));
            return (StatusCodes.Status403Forbidden, "challenged");
        }

        binder.Cookie.Clear(context.Response);
        return (StatusCodes.Status401Unauthorized, "no-session");
    }

    /// <summary>The session of the request's own cookie, as it is stored now. No request's session: nothing here counts as its use.</summary>
    private async ValueTask<Session?> LoadAsync(HttpContext context)
    {
        if (services.Tokens.Read(context.Request, services.Time.GetUtcNow()).Token is not { } token)
        {
            return null;
        }

        var key = token.Key ??= services.Manager.KeyOf(token.Id);
        return await services.Manager.LoadAsync(token.Id, key, host: null, isCopyEnough: false, context.RequestAborted).ConfigureAwait(false);
    }

    private static string? ProofOf(HttpContext context) => StructuredHeader.TextOf(context.Request.Headers["Secure-Session-Response"]);

    /// <summary>128 random bits.</summary>
    private static string NewText() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    private static void Challenge(HttpResponse response, string id, string challenge) =>
        response.Headers["Secure-Session-Challenge"] = $"\"{challenge}\";id=\"{id}\"";

    /// <summary>A challenge that comes with a cookie is answered when the cookie ends.</summary>
    private DateTimeOffset AheadOf(DateTimeOffset now) => now + binder.Options.CookieLifetime + binder.Options.ChallengeLifetime;

    private async Task WriteTermsAsync(HttpContext context, string id)
    {
        var terms = JsonText.Write((id, refresh: _refresh.Value!, binder.Cookie), static (writer, state) =>
        {
            writer.WriteStartObject();
            writer.WriteString("session_identifier"u8, state.id);
            writer.WriteString("refresh_url"u8, state.refresh);
            writer.WriteStartObject("scope"u8);
            writer.WriteBoolean("include_site"u8, false);
            writer.WriteEndObject();
            writer.WriteStartArray("credentials"u8);
            writer.WriteStartObject();
            writer.WriteString("type"u8, "cookie"u8);
            writer.WriteString("name"u8, state.Cookie.Name);
            writer.WriteString("attributes"u8, state.Cookie.Attributes);
            writer.WriteEndObject();
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = terms.Length;
        await context.Response.Body.WriteAsync(terms).ConfigureAwait(false);
    }
}
