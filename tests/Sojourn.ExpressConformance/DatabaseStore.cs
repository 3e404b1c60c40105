using System.Text.Json.Nodes;
using Sojourn.Storage;

namespace Sojourn.ExpressConformance;

/// <summary>One of Sojourn's own stores in an npm store's layout; the harness looks at it and changes it through the store's own verbs.</summary>
internal sealed class DatabaseStore : IConformanceStore
{
    private readonly ISessionStore _store;
    private readonly ISessionIndex _index;
    private readonly INodeLayout _layout;
    private readonly bool _judgesExpiryInRecord;

    private DatabaseStore(ISessionStore store, bool judgesExpiryInRecord)
    {
        (_store, _index, _layout, _judgesExpiryInRecord) = (store, (ISessionIndex)store, (INodeLayout)store, judgesExpiryInRecord);
    }

    public TimeSpan TimeToLive => _layout.TimeToLive;

    public bool CanTouch => _layout.CanTouch;

    /// <summary>Opens the store that <c>STORE</c> and <c>STORE_URL</c> name.</summary>
    public static async Task<IConformanceStore> OpenAsync(string kind, Uri url)
    {
        var builder = new ServiceCollection().AddSojournCore();
        builder = kind switch
        {
            "redis" => builder.UseConnectRedis($"{url.Authority},defaultDatabase={url.AbsolutePath.Trim('/')}"),
            "pg" => builder.UseConnectPgSimple($"Host={url.Host};Port={url.Port};Username={url.UserInfo};Database={url.AbsolutePath.Trim('/')}"),
            "mysql" => builder.UseExpressMySqlSession($"Server={url.Host};Port={url.Port};User ID={url.UserInfo};Database={url.AbsolutePath.Trim('/')}"),
            "mongo" => builder.UseConnectMongo(url.OriginalString),
            _ => throw new ArgumentException("unknown STORE " + kind),
        };
        var store = builder.Services.BuildServiceProvider().GetRequiredService<ISessionStore>();
        if (store is ISchemaStore schema)
        {
            await schema.EnsureSchemaAsync(CancellationToken.None);
        }

        return new DatabaseStore(store, judgesExpiryInRecord: kind != "redis");
    }

    public SessionVersion VersionOf(SessionRecord record) => _layout.VersionOf(record);

    public async Task<JsonObject> DumpAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        var dump = new JsonObject();
        foreach (var (id, record) in await AllAsync())
        {
            if (record.ExpiresAt > now)
            {
                dump[id] = StoredText.ParsedOrRaw(record.Document.Span);
            }
        }

        return dump;
    }

    public async Task ClearAsync()
    {
        foreach (var (id, _) in await AllAsync())
        {
            await _store.DeleteAsync(id, null, CancellationToken.None);
        }
    }

    /// <summary>As the reference puts it: with the expiry that the record's cookie tells of; in Redis, whatever it tells.</summary>
    public async Task PutRawAsync(string id, byte[] text)
    {
        var expiresAt = _judgesExpiryInRecord ? StoredText.ExpiryIn(StoredText.Parsed(text)) : null;
        await _store.DeleteAsync(id, null, CancellationToken.None);
        await _store.CreateAsync(id, new SessionRecord(text, expiresAt ?? TimeProvider.System.GetUtcNow() + TimeToLive), CancellationToken.None);
    }

    public ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) => _store.ReadAsync(key, cancellationToken);

    public ValueTask<bool> CreateAsync(string key, SessionRecord record, CancellationToken cancellationToken) =>
        _store.CreateAsync(key, record, cancellationToken);

    public ValueTask<WriteResult> ReplaceAsync(string key, SessionRecord current, SessionRecord next, CancellationToken cancellationToken) =>
        _store.ReplaceAsync(key, current, next, cancellationToken);

    public ValueTask<WriteResult> TouchAsync(string key, SessionRecord current, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
        _store.TouchAsync(key, current, expiresAt, cancellationToken);

    public ValueTask<WriteResult> DeleteAsync(string key, SessionRecord? current, CancellationToken cancellationToken) =>
        _store.DeleteAsync(key, current, cancellationToken);

    /// <summary>A scenario has a few records: one page holds them.</summary>
    private ValueTask<IReadOnlyList<KeyValuePair<string, SessionRecord>>> AllAsync() => _index.PageAsync(null, 1_000, CancellationToken.None);
}
