using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;

namespace Sojourn.Sqlite;

/// <summary>
/// The one writer: changes that arrive together share a transaction, and so one wait for the disk. Each is answered when the transaction
/// is durable.
/// </summary>
/// <remarks>A thread of its own, since SQLite blocks while it writes: a pool thread would be missed by the requests.</remarks>
internal sealed class Writer(Database database)
{
    private const int MaxGroup = 512;

    private readonly BlockingCollection<IWrite> _queue = [];
    private readonly List<IWrite> _group = new(MaxGroup);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _starting = new();
    private Thread? _thread;
    private Connection? _connection;

    private interface IWrite
    {
        /// <summary>Makes the change, in a transaction that may be rolled back and tried again.</summary>
        void Execute(Connection connection);

        void Answer();

        void Fail(Exception error);
    }

    /// <summary>Queues a change and answers when it is durable. A change whose caller has gone before it began is dropped.</summary>
    public ValueTask<T> RunAsync<TState, T>(TState state, Func<Connection, TState, T> change, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var write = new Write<TState, T>(state, change, cancellationToken);
        Start();
        try
        {
            _queue.Add(write, CancellationToken.None);
        }
        catch (InvalidOperationException e)
        {
            throw new ObjectDisposedException("The session store is disposed of.", e);
        }
        return new(cancellationToken.CanBeCanceled ? write.Task.WaitAsync(cancellationToken) : write.Task);
    }

    /// <summary>Takes no more changes, finishes those that are queued, and closes the file with everything in it.</summary>
    public Task StopAsync()
    {
        _queue.CompleteAdding();
        lock (_starting)
        {
            if (_thread is null) _stopped.TrySetResult();
        }
        return _stopped.Task;
    }

    private void Start()
    {
        if (Volatile.Read(ref _thread) is not null) return;
        lock (_starting)
        {
            if (_thread is not null || _queue.IsAddingCompleted) return;
            var thread = new Thread(Loop) { IsBackground = true, Name = "Sojourn SQLite writer" };
            // Unsafe: without the context of the request that happens to be the first.
            thread.UnsafeStart();
            Volatile.Write(ref _thread, thread);
        }
    }

    private void Loop()
    {
        foreach (var first in _queue.GetConsumingEnumerable()) CommitGroup(first);
        try
        {
            _connection?.ExecuteScript("PRAGMA wal_checkpoint(TRUNCATE)");
        }
        catch (SqliteException)
        {
            // The next to open the file finds everything in the WAL.
        }
        GiveUp();
        _stopped.TrySetResult();
    }

    /// <summary>Changes join the group for as long as they arrive while it is being made, so a lone one is committed at once.</summary>
    private void CommitGroup(IWrite first)
    {
        _group.Clear();
        try
        {
            Begin();
        }
        catch (Exception e)
        {
            // Nobody's fault, and the others would wait as long again.
            var failed = first;
            do failed.Fail(database.Explain(e) ?? e);
            while (_queue.TryTake(out failed));
            GiveUp();
            return;
        }
        try
        {
            var next = first;
            do
            {
                _group.Add(next);
                next.Execute(_connection!);
            }
            while (_group.Count < MaxGroup && _queue.TryTake(out next));
            _connection!.Commit();
        }
        catch (Exception e)
        {
            Undo(e);
            // One bad change never fails the others: each has its own transaction now, unless it is the file that is bad.
            var eachAlone = _group.Count > 1 && _connection is not null;
            if (!eachAlone) Mistrust(e);
            foreach (var write in _group)
            {
                if (eachAlone) CommitAlone(write);
                else write.Fail(database.Explain(e) ?? e);
            }
            return;
        }
        foreach (var write in CollectionsMarshal.AsSpan(_group)) write.Answer();
    }

    private void CommitAlone(IWrite write)
    {
        try
        {
            Begin();
            write.Execute(_connection!);
            _connection!.Commit();
            write.Answer();
        }
        catch (Exception e)
        {
            Undo(e);
            Mistrust(e);
            write.Fail(database.Explain(e) ?? e);
        }
    }

    private void Begin()
    {
        database.ThrowIfDeleted();
        if (_connection is not null && !database.IsCurrent(_connection)) GiveUp();
        _connection ??= database.OpenWriter();
        _connection.Begin();
    }

    private void Undo(Exception error)
    {
        try
        {
            if (error is SqliteException sqlite && SqliteStoreException.IsFatal(sqlite)) GiveUp();
            else _connection?.Rollback();
        }
        catch (SqliteException)
        {
            GiveUp();
        }
    }

    /// <summary>A statement that SQLite cannot make sense of: the tables are not what they were, and who opens the file looks after them.</summary>
    private void Mistrust(Exception error)
    {
        if (error is SqliteException { SqliteErrorCode: SQLitePCL.raw.SQLITE_ERROR }) GiveUp();
    }

    private void GiveUp()
    {
        _connection?.Dispose();
        _connection = null;
    }

    private sealed class Write<TState, T>(TState state, Func<Connection, TState, T> change, CancellationToken cancellationToken)
        : TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously), IWrite
    {
        private T? _result;
        private bool _dropped;

        public void Execute(Connection connection)
        {
            _dropped = cancellationToken.IsCancellationRequested;
            if (!_dropped) _result = change(connection, state);
        }

        public void Answer()
        {
            if (_dropped) TrySetCanceled(cancellationToken);
            else TrySetResult(_result!);
        }

        public void Fail(Exception error)
        {
            TrySetException(error);
            // Looked at, since a caller that has stopped waiting never will.
            _ = Task.Exception;
        }
    }
}
