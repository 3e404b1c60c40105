using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using MySqlConnector;
using Npgsql;
using Sojourn.Storage;
using StackExchange.Redis;

namespace Sojourn.Benchmarks.Scale;

/// <summary>A store of some size: how it is opened and filled, and what it takes.</summary>
internal abstract class ScaleDatabase(int size)
{
    /// <summary>When the first session ends; each of the others ends a millisecond after the one before.</summary>
    public static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(DateTimeOffset.UtcNow.ToUnixTimeSeconds()).AddDays(1);

    public static readonly byte[] Document = Payload.Document(256);

    protected int Size { get; } = size;

    public static ScaleDatabase Of(string store, string connection, int size) => store switch
    {
        "memory" => new InMemory(size),
        "redis" => new OnRedis(size, connection),
        "pg" => new OnPostgreSql(size, connection),
        "mysql" => new OnMariaDb(size, connection),
        _ => throw new ArgumentException($"Unknown store {store}."),
    };

    /// <summary>As the engine's keys: SHA-256 as base64url.</summary>
    public static string Key(int number) => Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture))));

    public async Task<ISessionStore> OpenAsync()
    {
        var store = Use(new ServiceCollection().AddSojournCore()).Services.BuildServiceProvider().GetRequiredService<ISessionStore>();
        if (store is ISchemaStore schema) await schema.EnsureSchemaAsync(default);
        return store;
    }

    /// <summary>What an application that starts does with it, up to its first visitor.</summary>
    public virtual async Task StartAsync()
    {
        var store = await OpenAsync();
        await store.ReadAsync(Key(1), default);
        if (store is IAsyncDisposable disposable) await disposable.DisposeAsync();
    }

    public virtual async Task FillAsync(ISessionStore store) =>
        await Parallel.ForEachAsync(Enumerable.Range(0, Size), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (number, cancellationToken) =>
        await store.CreateAsync(Key(number), new SessionRecord(Document.ToArray(), Start.AddMilliseconds(number)), cancellationToken));

    /// <summary>All that the sessions take, indexes and overhead included.</summary>
    public abstract Task<double> BytesAsync();

    protected abstract SojournBuilder Use(SojournBuilder builder);

    private sealed class InMemory(int size) : ScaleDatabase(size)
    {
        private double _before;
        private double _bytes;

        /// <summary>A store in memory is empty when it starts.</summary>
        public override Task StartAsync() => Task.CompletedTask;

        public override async Task FillAsync(ISessionStore store)
        {
            _before = GC.GetTotalMemory(forceFullCollection: true);
            for (var number = 0; number < Size; number++)
            {
                await store.CreateAsync(Key(number), new SessionRecord(Document.ToArray(), Start.AddMilliseconds(number)), default);
            }

            _bytes = GC.GetTotalMemory(forceFullCollection: true) - _before;
        }

        public override Task<double> BytesAsync() => Task.FromResult(_bytes);

        protected override SojournBuilder Use(SojournBuilder builder) => builder.UseMemory(o => o.MaxSessions = Size);
    }

    /// <summary>A logical database for each size; what the first of them take is told apart by its growth.</summary>
    private sealed class OnRedis(int size, string connection) : ScaleDatabase(size)
    {
        private double _bytes;

        private string Connection => string.Create(CultureInfo.InvariantCulture, $"{connection},defaultDatabase={(int)Math.Log10(Size)}");

        public override async Task FillAsync(ISessionStore store)
        {
            var before = await UsedAsync();
            await base.FillAsync(store);
            _bytes = await UsedAsync() - before;
        }

        public override Task<double> BytesAsync() => Task.FromResult(_bytes);

        protected override SojournBuilder Use(SojournBuilder builder) => builder.UseRedis(Connection);

        private async Task<double> UsedAsync()
        {
            await using var redis = await ConnectionMultiplexer.ConnectAsync(Connection + ",allowAdmin=true");
            var info = (string)(await redis.GetDatabase().ExecuteAsync("INFO", "memory"))!;
            return double.Parse(
                info.Split('\n').Single(line => line.StartsWith("used_memory:", StringComparison.Ordinal))["used_memory:".Length..],
                CultureInfo.InvariantCulture);
        }
    }

    private sealed class OnPostgreSql(int size, string connection) : ScaleDatabase(size)
    {
        private string Connection => string.Create(CultureInfo.InvariantCulture, $"{connection};Database=scale{Size};Maximum Pool Size=10");

        /// <summary>In one statement: a million round trips would measure nothing but themselves.</summary>
        public override async Task FillAsync(ISessionStore store)
        {
            await using var source = NpgsqlDataSource.Create(Connection + ";Command Timeout=0");
            await using var fill = source.CreateCommand(
                """
                INSERT INTO sojourn_sessions (key, version, expires, due, document)
                SELECT translate(rtrim(encode(sha256(n::text::bytea), 'base64'), '='), '+/', '-_'), n, $2 + n, $2 + n, $3 FROM generate_series(0, $1 - 1) AS n
                """);
            foreach (var value in (object[])[(long)Size, Start.ToUnixTimeMilliseconds(), Document]) fill.Parameters.Add(new() { Value = value });
            await fill.ExecuteNonQueryAsync();
            foreach (var sql in (string[])["VACUUM ANALYZE sojourn_sessions", "CHECKPOINT"])
            {
                await using var command = source.CreateCommand(sql);
                await command.ExecuteNonQueryAsync();
            }
        }

        public override async Task<double> BytesAsync()
        {
            await using var source = NpgsqlDataSource.Create(Connection);
            await using var command = source.CreateCommand("SELECT pg_total_relation_size('sojourn_sessions')");
            return (long)(await command.ExecuteScalarAsync())!;
        }

        protected override SojournBuilder Use(SojournBuilder builder) => builder.UsePostgreSql(Connection);
    }

    private sealed class OnMariaDb(int size, string connection) : ScaleDatabase(size)
    {
        private string Connection => string.Create(CultureInfo.InvariantCulture, $"{connection};Database=scale{Size};Maximum Pool Size=10");

        /// <inheritdoc cref="OnPostgreSql.FillAsync"/>
        public override async Task FillAsync(ISessionStore store)
        {
            await using var mariaDb = new MySqlConnection(Connection + ";Default Command Timeout=0");
            await mariaDb.OpenAsync();
            await using var fill = new MySqlCommand(
                $"""
                INSERT INTO sojourn_sessions (`key`, version, expires, due, document)
                SELECT REPLACE(REPLACE(TRIM(TRAILING '=' FROM TO_BASE64(UNHEX(SHA2(seq, 256)))), '+', '-'), '/', '_'), seq, @start + 1000 * seq, @start + 1000 * seq, @document
                FROM seq_0_to_{Size - 1}
                """, mariaDb);
            fill.Parameters.AddWithValue("start", Start.ToUnixTimeMilliseconds() * 1000);
            fill.Parameters.AddWithValue("document", Document);
            await fill.ExecuteNonQueryAsync();
        }

        public override async Task<double> BytesAsync()
        {
            await using var mariaDb = new MySqlConnection(Connection + ";Default Command Timeout=0");
            await mariaDb.OpenAsync();
            await using var analyze = new MySqlCommand("ANALYZE TABLE sojourn_sessions", mariaDb);
            await analyze.ExecuteScalarAsync();
            await using var command = new MySqlCommand(
                "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = database() AND table_name = 'sojourn_sessions'",
                mariaDb);
            return Convert.ToDouble(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
        }

        protected override SojournBuilder Use(SojournBuilder builder) => builder.UseMySql(Connection);
    }
}
