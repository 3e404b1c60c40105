using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Sojourn.AspNetCore.Compatibility;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore;

/// <summary>The session of one request, its token, and the rules of when it may be committed. Lives as long as the HttpContext, whoever re-executes the pipeline.</summary>
internal sealed class SessionFeature : ISessionFeature, ISessionHost
{
    private readonly HttpContext _context;
    private readonly SessionServices _services;
    private readonly IncomingToken _incoming;
    private AspNetSession? _aspNetSession;
    private bool _hasThrown;
    private bool _isConcluded;

    public SessionFeature(HttpContext context, SessionServices services, IncomingToken incoming)
    {
        _context = context;
        _services = services;
        _incoming = incoming;
        Current = null!;
    }

    public Session Current { get; private set; }

    /// <summary>What the endpoint says of the session, as far as it was known when the session was loaded.</summary>
    public SessionUse? UseAtLoad { get; set; }

    /// <summary>What holds the response back; other middleware may have wrapped the response body around it.</summary>
    public ResponseGuard? Guard { get; set; }

    public Exception? CommitFailure { get; private set; }

    ISession ISessionFeature.Session
    {
        get => _aspNetSession ??= new AspNetSession(Current);
        set => throw new NotSupportedException("Sojourn serves HttpContext.Session; it cannot be replaced.");
    }

    bool ISessionHost.CanSendCookie => !_context.Response.HasStarted;

    void ISessionHost.OnUsed() => SessionTransport.KeepFromOutputCache(_context);

    SessionCookie ISessionHost.NewCookie()
    {
        var cookie = _services.Options.Cookie;
        return _services.Express?.NewCookie(_context)
            ?? cookie.ToSessionCookie(cookie.Secure == CookieSecure.Always || (cookie.Secure == CookieSecure.AsRequest && _context.Request.IsHttps), _services.Time);
    }

    SessionDevice? ISessionHost.Device => null;

    DateTimeOffset? ISessionHost.BeganAt => null;

    string ISessionHost.NewId() => _services.Express?.NewId(_context) ?? SessionId.New();

    public async ValueTask LoadAsync(string? key)
    {
        Current = (key is null ? null : await _services.Manager.LoadAsync(_incoming.Id!, key, this, _context.RequestAborted).ConfigureAwait(false))
            ?? _services.Manager.Create(this);
    }

    /// <summary>Saves the session, unless the handler threw. A client that went away does not cancel it.</summary>
    public ValueTask CommitAsync()
    {
        if (_isConcluded || (!_services.Options.CommitOnException && (_hasThrown || _context.Features.Get<IExceptionHandlerFeature>() is not null)))
        {
            return default;
        }

        if (CommitFailure is { } failure)
        {
            // A handler that caught the failure must not answer as if nothing had happened.
            return ValueTask.FromException(failure);
        }

        ValueTask commit;
        try
        {
            RequireHonoured();
            commit = _services.Manager.CommitAsync(Current, CancellationToken.None);
        }
        catch (Exception e)
        {
            CommitFailure = e;
            throw;
        }

        return commit.IsCompletedSuccessfully ? commit : RememberFailureAsync(commit);
    }

    /// <summary>The last line, after everybody else's OnStarting: what they changed is saved, then the headers are written.</summary>
    public async Task OnStartingAsync()
    {
        await CommitAsync().ConfigureAwait(false);
        _services.Transport.WriteHeaders(_context, Current, _incoming);
    }

    /// <summary>The handler threw: what it had not saved itself is dropped.</summary>
    public void MarkThrown()
    {
        CommitFailure = null;
        if (!_services.Options.CommitOnException || Current.Failure is not null)
        {
            _hasThrown = true;
            Current.Discard();
        }
    }

    /// <summary>The answer is an error of ours: nothing more is saved.</summary>
    public void Conclude() => _isConcluded = true;

    private async ValueTask RememberFailureAsync(ValueTask commit)
    {
        try
        {
            await commit.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            CommitFailure = e;
            throw;
        }
    }

    /// <summary>Session metadata of an endpoint that was chosen after the session was loaded cannot be honoured any more, and is never ignored.</summary>
    private void RequireHonoured()
    {
        if (UseAtLoad is null && (SojournMiddleware.UseOf(_context) is not (null or SessionUse.ReadWrite) || SojournMiddleware.RequirementsOf(_context).Count > 0))
        {
            throw new InvalidOperationException(
                $"The endpoint '{_context.GetEndpoint()!.DisplayName}' says how it uses the session, but it was chosen after UseSojourn had loaded it. Call UseRouting before UseSojourn.");
        }
    }
}
