using System.Text.Json.Serialization.Metadata;
using Sojourn.Document;

namespace Sojourn;

/// <content>The verbs that change an entry by what it holds: update, pop, flash, fetch once.</content>
public sealed partial class Session
{
    private Dictionary<string, Task<object?>>? _fetches;

    /// <summary>
    /// Changes an entry by a function, atomically at commit: where another request changed the session meanwhile, the function runs again on
    /// the fresh value, so that no increment is ever lost. An object that <see cref="Get{T}(string)"/> handed out before is saved first, and
    /// belongs to the session no more.
    /// </summary>
    /// <typeparam name="T">What the entry is read and written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value, or the type's default, to the new value. Pure: it runs at once, and again after each conflict.</param>
    /// <exception cref="ArgumentException">No entry can have this name.</exception>
    /// <exception cref="SessionEntryException">The entry cannot be read as this type, or the new value not be written.</exception>
    /// <exception cref="InvalidOperationException">The session is read-only or destroyed, or is new and the response has started.</exception>
    public void Update<T>(string name, Func<T?, T?> update) => Update(name, update, TypeOf<T>());

    /// <inheritdoc cref="Update{T}(string, Func{T, T})"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value to the new value.</param>
    /// <param name="type">How the value is read and written, for native AOT.</param>
    public void Update<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type) => AddUpdate(name, update, type);

    /// <summary>As <see cref="Update{T}(string, Func{T, T})"/>, saved at once with everything else that the request has changed.</summary>
    /// <typeparam name="T">What the entry is read and written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value to the new value. Pure.</param>
    /// <param name="cancellationToken">Ends the wait for the store; whether the change is stored is then not known.</param>
    /// <returns>The value as it was stored.</returns>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask<T?> UpdateAsync<T>(string name, Func<T?, T?> update, CancellationToken cancellationToken = default) =>
        UpdateAsync(name, update, TypeOf<T>(), cancellationToken);

    /// <inheritdoc cref="UpdateAsync{T}(string, Func{T, T}, CancellationToken)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="update">From the value to the new value. Pure.</param>
    /// <param name="type">How the value is read and written, for native AOT.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    public async ValueTask<T?> UpdateAsync<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        var change = AddUpdate(name, update, type);
        await _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken).ConfigureAwait(false);
        return EntryValue.Read(name, change.Result, type);
    }

    /// <summary>
    /// Reads an entry and removes it at commit. Of parallel requests each may read it; <see cref="PopAsync{T}(string, CancellationToken)"/> gives it to one.
    /// </summary>
    /// <typeparam name="T">What to read it as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <returns>The value, or the type's default when there is no such entry.</returns>
    public T? Pop<T>(string name) => Pop(name, TypeOf<T>());

    /// <inheritdoc cref="Pop{T}(string)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="type">How the value is read, for native AOT.</param>
    public T? Pop<T>(string name, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        lock (_sync)
        {
            RequireWritable();
            TryGetUnlocked(name, type, out var value);
            Remove(name);
            return value;
        }
    }

    /// <summary>
    /// Takes an entry out of the stored session at once, with everything else that the request has changed. Of parallel calls one gets the value.
    /// </summary>
    /// <typeparam name="T">What to read it as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="cancellationToken">Ends the wait for the store; whether the entry is removed is then not known.</param>
    /// <returns>The value as it was stored, or the type's default when there was no such entry.</returns>
    /// <exception cref="SessionEndedException">The session ended while the request ran.</exception>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    public ValueTask<T?> PopAsync<T>(string name, CancellationToken cancellationToken = default) => PopAsync(name, TypeOf<T>(), cancellationToken);

    /// <inheritdoc cref="PopAsync{T}(string, CancellationToken)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="type">How the value is read, for native AOT.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    public async ValueTask<T?> PopAsync<T>(string name, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        var change = new RemoveChange(name);
        lock (_sync)
        {
            RequireWritable();
            SaveWatched(name);
            Do(change);
        }

        await _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken).ConfigureAwait(false);
        return Envelope.Open(change.Removed).Read(name, type, _operations.Time.GetUtcNow());
    }

    /// <summary>Sets an entry that is gone after the next request that reads it.</summary>
    /// <typeparam name="T">What it is written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="value">The value.</param>
    public void Flash<T>(string name, T value) => Flash(name, value, TypeOf<T>());

    /// <inheritdoc cref="Flash{T}(string, T)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="value">The value.</param>
    /// <param name="type">How the value is written, for native AOT.</param>
    public void Flash<T>(string name, T value, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(type);
        var utf8 = Envelope.Flash(EntryValue.Write(name, value, type));
        lock (_sync)
        {
            // Also where it is what was read just now: it is to stay for the next request, whatever another one does with it meanwhile.
            RequireWritable();
            StopWatching(name);
            _flashesRead?.Remove(name);
            Do(new SetChange(name, utf8));
            (_flashesSet ??= new(StringComparer.Ordinal)).Add(name);
        }
    }

    /// <summary>
    /// A value that is fetched once and kept with the session until its lifetime ends. Tasks of one request that ask at the same time share one fetch.
    /// An object that it returns is not watched for changes.
    /// </summary>
    /// <typeparam name="T">What it is read and written as.</typeparam>
    /// <param name="name">The entry's name.</param>
    /// <param name="factory">Fetches the value; what it throws is thrown to every waiting caller, and nothing is kept.</param>
    /// <param name="lifetime">How long the value is good for; more than zero.</param>
    /// <param name="cancellationToken">Handed to the factory.</param>
    /// <returns>The value kept or fetched.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The lifetime is not more than zero.</exception>
    public ValueTask<T?> GetOrCreateAsync<T>(
        string name, Func<CancellationToken, ValueTask<T?>> factory, TimeSpan lifetime, CancellationToken cancellationToken = default) =>
        GetOrCreateAsync(name, factory, lifetime, TypeOf<T>(), cancellationToken);

    /// <inheritdoc cref="GetOrCreateAsync{T}(string, Func{CancellationToken, ValueTask{T}}, TimeSpan, CancellationToken)"/>
    /// <param name="name">The entry's name.</param>
    /// <param name="factory">Fetches the value.</param>
    /// <param name="lifetime">How long the value is good for; more than zero.</param>
    /// <param name="type">How the value is read and written, for native AOT.</param>
    /// <param name="cancellationToken">Handed to the factory.</param>
    public async ValueTask<T?> GetOrCreateAsync<T>(
        string name, Func<CancellationToken, ValueTask<T?>> factory, TimeSpan lifetime, JsonTypeInfo<T> type, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(factory);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lifetime, TimeSpan.Zero);
        if (TryGet(name, type, out var kept))
        {
            return kept;
        }

        TaskCompletionSource<object?>? ours = null;
        Task<object?> fetch;
        lock (_sync)
        {
            _fetches ??= new(StringComparer.Ordinal);
            if (!_fetches.TryGetValue(name, out fetch!))
            {
                RequireWritable();
                ours = new TaskCompletionSource<object?>(TaskCreationOptions.RunContinuationsAsynchronously);
                _fetches.Add(name, fetch = ours.Task);
            }
        }

        if (ours is null)
        {
            return (T?)await fetch.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        try
        {
            var value = await factory(cancellationToken).ConfigureAwait(false);
            var utf8 = Envelope.Kept(EntryValue.Write(name, value, type), _operations.Time.GetUtcNow() + lifetime);
            lock (_sync)
            {
                SetUnlocked(name, utf8);
                _fetches!.Remove(name);
            }

            ours.SetResult(value);
            return value;
        }
        catch (Exception e)
        {
            lock (_sync)
            {
                _fetches!.Remove(name);
            }

            ours.SetException(e);

            // Nobody else may be waiting: an exception that nobody looks at must not be reported as unobserved.
            _ = fetch.Exception;
            throw;
        }
    }

    private UpdateChange<T> AddUpdate<T>(string name, Func<T?, T?> update, JsonTypeInfo<T> type)
    {
        EntryName.Require(name);
        ArgumentNullException.ThrowIfNull(update);
        ArgumentNullException.ThrowIfNull(type);
        var change = new UpdateChange<T>(name, update, type, _operations.Time);
        lock (_sync)
        {
            RequireWritable();
            SaveWatched(name);
            Do(change);
        }

        return change;
    }
}
