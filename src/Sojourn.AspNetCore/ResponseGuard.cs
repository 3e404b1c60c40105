using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Sojourn.AspNetCore;

/// <summary>
/// Holds the response back until the session is saved: what a response says was saved, was saved. Every way to a first byte leads through here.
/// </summary>
internal sealed class ResponseGuard(HttpResponse response, IHttpResponseBodyFeature inner, SessionFeature session) : PipeWriter, IHttpResponseBodyFeature
{
    private GuardedStream? _stream;
    private ArrayBufferWriter<byte>? _held;
    private bool _isOpen;

    public Stream Stream => _stream ??= new GuardedStream(this);

    public PipeWriter Writer => this;

    /// <summary>
    /// Whether bytes go straight through: once the response has started, or was given up to an error of ours. Remembered, since that is never taken back.
    /// </summary>
    private bool IsOpen => _isOpen = _isOpen || (response.HasStarted && _held is null);

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) =>
        OpensAtOnce(out var commit) ? inner.StartAsync(cancellationToken) : StartAfterAsync(commit, cancellationToken);

    public async Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        await OpenAsync().ConfigureAwait(false);
        await inner.SendFileAsync(path, offset, count, cancellationToken).ConfigureAwait(false);
    }

    async Task IHttpResponseBodyFeature.CompleteAsync()
    {
        await OpenAsync().ConfigureAwait(false);
        await inner.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>Saves the session, then lets through what was held back.</summary>
    public ValueTask OpenAsync() => OpensAtOnce(out var commit) ? default : PassAfterAsync(commit);

    /// <summary>Lets through what nobody flushed, where the response starts by the end of the request: outside UseSojourn.</summary>
    public void PassHeld()
    {
        if (_held is { } held)
        {
            _held = null;
            inner.Writer.Write(held.WrittenSpan);
        }
    }

    /// <summary>Throws away what was held back: the handler's answer is not the answer.</summary>
    public void DropHeld() => _held = null;

    /// <summary>Lets an error of ours through, past the session.</summary>
    public void GiveUp()
    {
        DropHeld();
        _isOpen = true;
    }

    public override bool CanGetUnflushedBytes => inner.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => (_held?.WrittenCount ?? 0) + inner.Writer.UnflushedBytes;

    public override void Advance(int bytes)
    {
        if (IsOpen)
        {
            inner.Writer.Advance(bytes);
        }
        else
        {
            Hold().Advance(bytes);
        }
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => IsOpen ? inner.Writer.GetMemory(sizeHint) : Hold().GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => IsOpen ? inner.Writer.GetSpan(sizeHint) : Hold().GetSpan(sizeHint);

    public override void CancelPendingFlush() => inner.Writer.CancelPendingFlush();

    /// <summary>The server completes the response when the request ends; a commit cannot be waited for here.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (IsOpen)
        {
            inner.Writer.Complete(exception);
        }
    }

    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        await OpenAsync().ConfigureAwait(false);
        await inner.Writer.CompleteAsync(exception).ConfigureAwait(false);
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
        OpensAtOnce(out var commit) ? inner.Writer.FlushAsync(cancellationToken) : FlushAfterAsync(commit, cancellationToken);

    /// <summary>Begins to save the session, where that is still to be done.</summary>
    /// <returns>Whether there is nothing to wait for, and nothing that was held back.</returns>
    private bool OpensAtOnce(out ValueTask commit)
    {
        commit = IsOpen || response.HasStarted ? default : session.CommitAsync();
        return commit.IsCompletedSuccessfully && _held is null;
    }

    private async Task StartAfterAsync(ValueTask commit, CancellationToken cancellationToken)
    {
        await commit.ConfigureAwait(false);
        await PassAsync().ConfigureAwait(false);
        await inner.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<FlushResult> FlushAfterAsync(ValueTask commit, CancellationToken cancellationToken)
    {
        await commit.ConfigureAwait(false);
        await PassAsync().ConfigureAwait(false);
        return await inner.Writer.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask PassAfterAsync(ValueTask commit)
    {
        await commit.ConfigureAwait(false);
        await PassAsync().ConfigureAwait(false);
    }

    /// <summary>Lets through what was held back. Flushed too: middleware outside may put another writer in place once the pipeline has ended.</summary>
    private ValueTask<FlushResult> PassAsync()
    {
        if (_held is not { } held)
        {
            return default;
        }

        _held = null;
        return inner.Writer.WriteAsync(held.WrittenMemory);
    }

    /// <summary>As <see cref="OpenAsync"/>, for whoever cannot wait: not while there is anything to wait for.</summary>
    private bool TryOpen(Stream through)
    {
        if (IsOpen)
        {
            return true;
        }

        // What failed is told by the next asynchronous write, or at the end.
        if (!response.HasStarted)
        {
            if (session.IsCommitting)
            {
                return false;
            }

            var commit = session.CommitAsync();
            if (!commit.IsCompletedSuccessfully)
            {
                return false;
            }
        }

        if (_held is { } held)
        {
            _held = null;
            through.Write(held.WrittenSpan);
        }

        return true;
    }

    private ArrayBufferWriter<byte> Hold() => _held ??= new ArrayBufferWriter<byte>();

    private sealed class GuardedStream(ResponseGuard guard) : Stream
    {
        private readonly Stream _through = guard.InnerStream;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            await guard.OpenAsync().ConfigureAwait(false);
            await _through.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await guard.OpenAsync().ConfigureAwait(false);
            await _through.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        /// <summary>A commit cannot be waited for here, so the bytes are held while one is under way.</summary>
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (guard.TryOpen(_through))
            {
                _through.Write(buffer);
            }
            else
            {
                guard.Hold().Write(buffer);
            }
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
            if (guard.TryOpen(_through))
            {
                _through.Flush();
            }
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }

    private Stream InnerStream => inner.Stream;
}
