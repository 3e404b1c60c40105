using System.Net.WebSockets;

namespace Sojourn.AspNetCore.LiveConnections;

/// <summary>
/// A WebSocket that closes when its session ends, with 1008 (RFC 6455, section 7.4.1): nothing that comes afterwards is handed to the application, which sees
/// the peer close. A peer that does not answer is left after a while.
/// </summary>
internal sealed class SessionWebSocket : WebSocket, IAsyncDisposable
{
    private const string Reason = "The session has ended.";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly WebSocket _socket;
    private readonly IDisposable? _keeper;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _receiving = new(1, 1);
    private readonly Lock _sync = new();
    private readonly CancellationToken _ended;
    private readonly CancellationTokenRegistration _registration;
    private volatile Task? _ending;
    private bool _isDisposed;

    public SessionWebSocket(WebSocket socket, IDisposable? keeper, TimeProvider time, CancellationToken ended)
    {
        (_socket, _keeper, _time, _ended) = (socket, keeper, time, ended);
        _registration = ended.UnsafeRegister(static state => ((SessionWebSocket)state!).End(), this);
    }

    public override WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    public override string? CloseStatusDescription => _socket.CloseStatusDescription;

    public override WebSocketState State => _socket.State;

    public override string? SubProtocol => _socket.SubProtocol;

    public override void Abort() => _socket.Abort();

    public override async Task<WebSocketReceiveResult> ReceiveAsync(ArraySegment<byte> buffer, CancellationToken cancellationToken)
    {
        var result = await ReceiveAsync(buffer.AsMemory(), cancellationToken).ConfigureAwait(false);
        return result.MessageType == WebSocketMessageType.Close
            ? new WebSocketReceiveResult(
                0, WebSocketMessageType.Close, endOfMessage: true, CloseStatus ?? WebSocketCloseStatus.PolicyViolation, CloseStatusDescription ?? Reason)
            : new WebSocketReceiveResult(result.Count, result.MessageType, result.EndOfMessage);
    }

    public override async ValueTask<ValueWebSocketReceiveResult> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        await _receiving.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (!HasEnded || _socket.State is not (WebSocketState.Closed or WebSocketState.Aborted))
            {
                var result = await _socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
                if (!HasEnded || result.MessageType == WebSocketMessageType.Close)
                {
                    return result;
                }
            }
        }
        catch (Exception e) when (HasEnded && IsOfClosing(e) && !cancellationToken.IsCancellationRequested)
        {
            // The peer did not answer, or is gone.
        }
        finally
        {
            _receiving.Release();
        }

        return new ValueWebSocketReceiveResult(0, WebSocketMessageType.Close, endOfMessage: true);
    }

    public override Task SendAsync(ArraySegment<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        _socket.SendAsync(buffer, messageType, endOfMessage, cancellationToken);

    public override ValueTask SendAsync(
        ReadOnlyMemory<byte> buffer, WebSocketMessageType messageType, bool endOfMessage, CancellationToken cancellationToken) =>
        _socket.SendAsync(buffer, messageType, endOfMessage, cancellationToken);

    public override ValueTask SendAsync(
        ReadOnlyMemory<byte> buffer, WebSocketMessageType messageType, WebSocketMessageFlags messageFlags, CancellationToken cancellationToken) =>
        _socket.SendAsync(buffer, messageType, messageFlags, cancellationToken);

    public override Task CloseAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        CloseUnlessEndingAsync(() => _socket.CloseAsync(closeStatus, statusDescription, cancellationToken));

    public override Task CloseOutputAsync(WebSocketCloseStatus closeStatus, string? statusDescription, CancellationToken cancellationToken) =>
        CloseUnlessEndingAsync(() => _socket.CloseOutputAsync(closeStatus, statusDescription, cancellationToken));

    /// <summary>What was begun to close the socket comes to its end first: see <see cref="DisposeAsync"/>.</summary>
    public override void Dispose()
    {
        lock (_sync)
        {
            if (_isDisposed)
            {
                return;
            }

            if (HasEnded)
            {
                End();
            }

            _isDisposed = true;
        }

        _registration.Unregister();
        _keeper?.Dispose();
        if (_ending is null)
        {
            _socket.Dispose();
        }
    }

    /// <summary>Called when the handler is done, which may be before the peer has heard why.</summary>
    public async ValueTask DisposeAsync()
    {
        Dispose();
        if (_ending is { } ending)
        {
            await ending.ConfigureAwait(false);
            _socket.Dispose();
        }
    }

    /// <summary>True from the very end on; that the socket is told takes a moment more.</summary>
    private bool HasEnded => _ended.IsCancellationRequested;

    private void End()
    {
        lock (_sync)
        {
            if (!_isDisposed)
            {
                _ending ??= EndAsync();
            }
        }
    }

    private async Task EndAsync()
    {
        // Not under the lock, and not before everybody can see that it has begun.
        await Task.Yield();
        using var patience = new CancellationTokenSource(Patience, _time);
        try
        {
            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.PolicyViolation, Reason, patience.Token).ConfigureAwait(false);
            }

            // The application may be receiving, and gets the answer then; or it only sends, and never looks.
            var buffer = new byte[1024];
            while (_socket.State == WebSocketState.CloseSent)
            {
                await _receiving.WaitAsync(patience.Token).ConfigureAwait(false);
                try
                {
                    if (_socket.State == WebSocketState.CloseSent)
                    {
                        await _socket.ReceiveAsync(buffer.AsMemory(), patience.Token).ConfigureAwait(false);
                    }
                }
                finally
                {
                    _receiving.Release();
                }
            }
        }
        catch (Exception e) when (IsOfClosing(e))
        {
            // The application was closing the socket itself, or the peer is gone.
        }
        finally
        {
            if (_socket.State != WebSocketState.Closed)
            {
                _socket.Abort();
            }
        }
    }

    private async Task CloseUnlessEndingAsync(Func<Task> close)
    {
        if (_ending is null)
        {
            try
            {
                await close().ConfigureAwait(false);
                return;
            }
            catch (WebSocketException) when (_ending is not null)
            {
                // The session's end was faster.
            }
        }

        await _ending.ConfigureAwait(false);
    }

    private static bool IsOfClosing(Exception e) =>
        e is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException or IOException;
}
