using System.Runtime.CompilerServices;

namespace Sojourn.Redis;

/// <summary>
/// Awaited before a command is given to the driver, so that those of requests that run at the same time leave together: they share one write to the socket
/// and one read of the answers, which cost more than the commands. A group leaves as soon as the thread pool comes to it: at once where there is nothing
/// else to do. Thread-safe; each command fails or succeeds on its own.
/// </summary>
internal sealed class CommandGroup : IThreadPoolWorkItem, ICriticalNotifyCompletion
{
    private readonly Lock _gate = new();
    private List<Action> _waiting = [];

    public bool IsCompleted => false;

    public CommandGroup GetAwaiter() => this;

    public void GetResult()
    {
    }

    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    public void UnsafeOnCompleted(Action continuation)
    {
        lock (_gate)
        {
            _waiting.Add(continuation);
            if (_waiting.Count > 1)
            {
                return;
            }
        }

        // Not before what the pool has to do already, which may have commands, too.
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        List<Action> leaving;
        lock (_gate)
        {
            (leaving, _waiting) = (_waiting, []);
        }

        foreach (var giveToDriver in leaving)
        {
            giveToDriver();
        }
    }
}
