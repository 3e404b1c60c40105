using System.Security.Cryptography;
using System.Text;
using Sojourn.Storage;
using static Sojourn.PostgreSql.PostgreSqlDatabase;

namespace Sojourn.PostgreSql;

// Subjects' entries, leases and notifications: what stands beside the records.
public sealed partial class PostgreSqlSessionStore : ISubjectRegistry, ISessionLease, ISessionNotifications
{
    /// <inheritdoc/>
    public T? As<T>()
        where T : class => typeof(T) == typeof(ISessionNotifications) && _listener is null ? null : this as T;

    /// <inheritdoc/>
    public async ValueTask<byte[]?> ReadSubjectAsync(string subject, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        var rows = await _database.QueryAsync(
            $"SELECT entry FROM {_subjects} WHERE subject = $1", static row => row.GetFieldValue<byte[]>(0), cancellationToken,
            Parameter(KeyOf(subject))).ConfigureAwait(false);
        return rows.Count == 0 ? null : rows[0];
    }

    /// <inheritdoc/>
    public async ValueTask<bool> ReplaceSubjectAsync(
        string subject, byte[]? current, byte[] next, DateTimeOffset keepUntil, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        return current is null
            ? await _database.ExecuteAsync(
                $"INSERT INTO {_subjects} (subject, entry, keep_until) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING", cancellationToken,
                Parameter(KeyOf(subject)), Parameter(next), Parameter(Milliseconds(keepUntil))).ConfigureAwait(false) == 1
            : await _database.ExecuteAsync($"UPDATE {_subjects} SET entry = $2, keep_until = $3 WHERE subject = $1 AND entry = $4", cancellationToken,
                Parameter(KeyOf(subject)), Parameter(next), Parameter(Milliseconds(keepUntil)), Parameter(current)).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> TryAcquireAsync(string key, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(owner);
        return await _database.ExecuteAsync(
            $"""
            INSERT INTO {_leases} AS held (key, owner, until) VALUES ($1, $2, clock_timestamp() + $3)
            ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE held.owner = excluded.owner OR held.until <= clock_timestamp()
            """,
            cancellationToken, Parameter(key), Parameter(owner), Parameter(duration)).ConfigureAwait(false) == 1;
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(string key, string owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(owner);
        await _database.ExecuteAsync(
            $"DELETE FROM {_leases} WHERE key = $1 AND owner = $2", cancellationToken, Parameter(key), Parameter(owner)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<IAsyncDisposable> SubscribeAsync(Action<SessionNotification> handler, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return _listener?.SubscribeAsync(handler, cancellationToken)
            ?? throw new InvalidOperationException(
                $"This store does not notify. Set {nameof(PostgreSqlSessionStoreOptions)}.{nameof(PostgreSqlSessionStoreOptions.Notifications)} to true, in "
                + "all processes that use it.");
    }

    /// <summary>An index entry has a greatest length, and a subject none.</summary>
    private static byte[] KeyOf(string subject) => SHA256.HashData(Encoding.UTF8.GetBytes(subject));
}
