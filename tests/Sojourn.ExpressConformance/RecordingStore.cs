using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sojourn.Storage;

namespace Sojourn.ExpressConformance;

/// <summary>
/// express-session's MemoryStore as a store of Sojourn's: JSON text by id, a touch moves the expiry in the record's cookie. Calls are recorded
/// by express-session's names, faults and delays are made on demand (contract, section 4).
/// </summary>
internal sealed class RecordingStore(bool canTouch) : ISessionStore, INodeLayout
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Stored> _records = new(StringComparer.Ordinal);
    private ConcurrentQueue<(string Name, string Id)> _calls = new();
    private JsonObject _faults = [];

    public TimeSpan TimeToLive => TimeSpan.FromDays(1);

    public bool CanTouch => canTouch;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public SessionVersion VersionOf(SessionRecord record) => new(record.Document.ToArray());

    public void Reset()
    {
        Clear();
        TakeCalls();
        SetFaults([]);
    }

    public void SetFaults(JsonObject faults) => _faults = faults;

    public JsonArray TakeCalls() => [.. Interlocked.Exchange(ref _calls, new()).Select(call => new JsonArray(call.Name, call.Id))];

    public void Clear()
    {
        lock (_gate)
        {
            _records.Clear();
        }
    }

    public void PutRaw(string id, byte[] text)
    {
        lock (_gate)
        {
            _records[id] = new Stored(text, ExpiryIn(Parsed(text)) ?? Now + TimeToLive);
        }
    }

    public JsonObject Dump()
    {
        lock (_gate)
        {
            return new JsonObject(_records.Where(pair => pair.Value.ExpiresAt > Now)
                .Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, Parsed(pair.Value.Current()) ?? new JsonObject { ["$raw"] = Encoding.UTF8.GetString(pair.Value.Text) })));
        }
    }

    public async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken)
    {
        await ArriveAsync("get", key);
        lock (_gate)
        {
            if (!_records.TryGetValue(key, out var stored))
            {
                return null;
            }

            if (stored.ExpiresAt <= Now)
            {
                _records.Remove(key);
                return null;
            }

            return stored.ToRecord();
        }
    }

    public async ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken)
    {
        await ArriveAsync("set", key);
        lock (_gate)
        {
            return _records.TryAdd(key, Stored.From(record));
        }
    }

    public async ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken)
    {
        await ArriveAsync("set", key);
        lock (_gate)
        {
            return If(key, current, _ => _records[key] = Stored.From(next));
        }
    }

    public async ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken)
    {
        await ArriveAsync("touch", key);
        lock (_gate)
        {
            return If(key, current, stored => _records[key] = stored with { ExpiresAt = expiresAt });
        }
    }

    public async ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken)
    {
        await ArriveAsync("destroy", key);
        lock (_gate)
        {
            return If(key, current, _ => _records.Remove(key));
        }
    }

    private static JsonObject? Parsed(ReadOnlySpan<byte> text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static DateTimeOffset? ExpiryIn(JsonObject? record) => OptionsJson.ReadDate(record?["cookie"]?["expires"]);

    private WriteResult If(string key, SessionRecord? current, Action<Stored> write)
    {
        if (!_records.TryGetValue(key, out var stored))
        {
            return WriteResult.Gone;
        }

        if (current is not null && !current.Version.Content.Span.SequenceEqual(stored.Text))
        {
            return WriteResult.Conflict(stored.ToRecord());
        }

        write(stored);
        return WriteResult.Done(_records.TryGetValue(key, out var written) ? written.ToRecord() : null);
    }

    private async Task ArriveAsync(string name, string id)
    {
        _calls.Enqueue((name, id));
        var faults = _faults;
        if (faults["delay"]?[name] is { } milliseconds)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(milliseconds.GetValue<double>()), TimeProvider.System);
        }

        if (faults[name] is { } fault)
        {
            throw new IOException(fault["error"]?.GetValue<string>() ?? "boom!");
        }
    }

    private sealed record Stored(byte[] Text, DateTimeOffset ExpiresAt)
    {
        public static Stored From(SessionRecord record) => new(record.Document.ToArray(), record.ExpiresAt);

        public SessionRecord ToRecord() => new(Current(), ExpiresAt, version: new SessionVersion(Text));

        /// <summary>The text, with the expiry that it has been touched to.</summary>
        public byte[] Current()
        {
            var record = Parsed(Text);
            if (ExpiryIn(record) is not { } written || Math.Abs((written - ExpiresAt).TotalMilliseconds) < 2)
            {
                return Text;
            }

            record!["cookie"]!["expires"] = ExpiresAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
            return Encoding.UTF8.GetBytes(record.ToJsonString());
        }
    }
}
