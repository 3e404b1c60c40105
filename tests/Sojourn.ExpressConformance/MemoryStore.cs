using System.Text;
using System.Text.Json.Nodes;
using Sojourn.Storage;

namespace Sojourn.ExpressConformance;

/// <summary>express-session's MemoryStore as a store of Sojourn's: JSON text by id, a touch moves the expiry in the record's cookie.</summary>
internal sealed class MemoryStore : IConformanceStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Stored> _records = new(StringComparer.Ordinal);

    public TimeSpan TimeToLive => TimeSpan.FromDays(1);

    public bool CanTouch => true;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public SessionVersion VersionOf(SessionRecord record) => new(record.Document.ToArray());

    public Task ClearAsync()
    {
        lock (_gate)
        {
            _records.Clear();
        }

        return Task.CompletedTask;
    }

    public Task PutRawAsync(string id, byte[] text)
    {
        lock (_gate)
        {
            _records[id] = new Stored(text, StoredText.ExpiryIn(StoredText.Parsed(text)) ?? Now + TimeToLive);
        }

        return Task.CompletedTask;
    }

    public Task<JsonObject> DumpAsync()
    {
        lock (_gate)
        {
            return Task.FromResult(new JsonObject(_records.Where(pair => pair.Value.ExpiresAt > Now)
                .Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, StoredText.ParsedOrRaw(pair.Value.Current())))));
        }
    }

    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (!_records.TryGetValue(key, out var stored))
            {
                return new(default(SessionRecord));
            }

            if (stored.ExpiresAt <= Now)
            {
                _records.Remove(key);
                return new(default(SessionRecord));
            }

            return new(stored.ToRecord());
        }
    }

    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return new(_records.TryAdd(key, Stored.From(record)));
        }
    }

    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
        If(key, current, _ => _records[key] = Stored.From(next));

    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
        If(key, current, stored => _records[key] = stored with { ExpiresAt = expiresAt });

    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
        If(key, current, _ => _records.Remove(key));

    private ValueTask<WriteResult> If(string key, SessionRecord? current, Action<Stored> write)
    {
        lock (_gate)
        {
            if (!_records.TryGetValue(key, out var stored))
            {
                return new(WriteResult.Gone);
            }

            if (current is not null && !current.Version.Content.Span.SequenceEqual(stored.Text))
            {
                return new(WriteResult.Conflict(stored.ToRecord()));
            }

            write(stored);
            return new(WriteResult.Done(_records.TryGetValue(key, out var written) ? written.ToRecord() : null));
        }
    }

    private sealed record Stored(byte[] Text, DateTimeOffset ExpiresAt)
    {
        public static Stored From(SessionRecord record) => new(record.Document.ToArray(), record.ExpiresAt);

        public SessionRecord ToRecord() => new(Current(), ExpiresAt, version: new SessionVersion(Text));

        /// <summary>The text, with the expiry that it has been touched to.</summary>
        public byte[] Current()
        {
            var record = StoredText.Parsed(Text);
            if (StoredText.ExpiryIn(record) is not { } written || Math.Abs((written - ExpiresAt).TotalMilliseconds) < 2)
            {
                return Text;
            }

            record!["cookie"]!["expires"] = CookieOperations.Iso(ExpiresAt);
            return Encoding.UTF8.GetBytes(record.ToJsonString());
        }
    }
}
