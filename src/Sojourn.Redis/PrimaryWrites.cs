using StackExchange.Redis;

namespace Sojourn.Redis;

/// <summary>
/// The writes of one primary, in groups: what arrives while one group waits for its replicas goes out together as the next, with one WAIT behind it.
/// </summary>
/// <remarks>
/// WAIT answers for what its own connection wrote. A connection that breaks in the midst of a group is replaced by one that has written nothing, whose WAIT
/// would be satisfied at once: the connection's id, asked for before and after, tells.
/// </remarks>
internal sealed class PrimaryWrites(IServer primary, int database, int replicas)
{
    private const int TimeoutMilliseconds = 1_000;
    private readonly Lock _gate = new();
    private List<Write> _queued = [];
    private bool _isSending;

    public Task<RedisResult> RunAsync(string script, RedisKey key, RedisValue[] arguments)
    {
        var write = new Write(script, key, arguments);
        lock (_gate)
        {
            _queued.Add(write);
            if (_isSending)
            {
                return write.Answer;
            }

            _isSending = true;
        }

        _ = SendGroupsAsync();
        return write.Answer;
    }

    private async Task SendGroupsAsync()
    {
        while (true)
        {
            List<Write> group;
            lock (_gate)
            {
                if (_queued.Count == 0)
                {
                    _isSending = false;
                    return;
                }

                (group, _queued) = (_queued, []);
            }

            await SendAsync(group).ConfigureAwait(false);
        }
    }

    /// <summary>Sends a group back to back; never throws.</summary>
    private async Task SendAsync(List<Write> group)
    {
        var before = SendAsync("CLIENT", "ID");
        var answers = group.ConvertAll(write => SendAsync("EVAL", write.Arguments));
        var confirmed = SendAsync("WAIT", replicas, TimeoutMilliseconds);
        var after = SendAsync("CLIENT", "ID");
        Exception? doubt = null;
        try
        {
            await Task.WhenAll(before, confirmed, after).ConfigureAwait(false);
            var count = (long)await confirmed.ConfigureAwait(false);
            if ((long)await before.ConfigureAwait(false) != (long)await after.ConfigureAwait(false))
            {
                doubt = new RedisException("The connection broke before the replicas had confirmed the write: it may be there, and may be lost at a failover.");
            }
            else if (count < replicas)
            {
                doubt = new RedisException(
                    $"{count} replicas confirmed the write within {TimeoutMilliseconds} ms, where the option WaitForReplicas asks for {replicas}: it is "
                    + "there, and may be lost at a failover.");
            }
        }
        catch (Exception e)
        {
            doubt = e;
        }

        for (var i = 0; i < group.Count; i++)
        {
            await group[i].EndAsync(answers[i], doubt).ConfigureAwait(false);
        }
    }

    /// <summary>Redirected to another server, a command would be out of this WAIT's sight.</summary>
    private async Task<RedisResult> SendAsync(string command, params object[] arguments) =>
        await primary.ExecuteAsync(command == "EVAL" ? database : null, command, arguments, CommandFlags.NoRedirect).ConfigureAwait(false);

    private sealed class Write(string script, RedisKey key, RedisValue[] arguments)
    {
        private readonly TaskCompletionSource<RedisResult> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<RedisResult> Answer => _answer.Task;

        public object[] Arguments { get; } = [script, 1, key, .. arguments];

        public async Task EndAsync(Task<RedisResult> answer, Exception? doubt)
        {
            try
            {
                var result = await answer.ConfigureAwait(false);
                if (doubt is null)
                {
                    _answer.SetResult(result);
                }
                else
                {
                    _answer.SetException(doubt);
                }
            }
            catch (Exception e)
            {
                _answer.SetException(e);
            }
        }
    }
}
