using System.Globalization;
using Npgsql;

[assembly: AssemblyFixture(typeof(Sojourn.Stores.Tests.PostgreSql.PostgresServer))]

namespace Sojourn.Stores.Tests.PostgreSql;

/// <summary>A PostgreSQL server of the tests' own, on a port and a directory of its own; killed by its process id.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private static readonly string Programs = Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Last() + "/bin/";
    private readonly TempDirectory _directory;
    private readonly TempDirectory? _log;
    private readonly int _port = ServerProcess.FreePort();
    private ServerProcess? _process;
    private int[] _backends = [];

    public PostgresServer()
        : this(null)
    {
    }

    /// <param name="disk">Where its data is.</param>
    /// <param name="logDisk">Where its write-ahead log is, when that is not with the data.</param>
    internal PostgresServer(SmallDisk? disk, SmallDisk? logDisk = null)
    {
        _directory = new TempDirectory(disk);
        _log = logDisk is null ? null : new TempDirectory(logDisk);
    }

    /// <summary>Of the server's owner, to the database <c>postgres</c>.</summary>
    public string Owner => ConnectionString("postgres", "postgres");

    private string Data => Path.Combine(_directory.Path, "data");

    public async ValueTask InitializeAsync()
    {
        string[] log = _log is null ? [] : ["--waldir", Path.Combine(_log.Path, "log"), "--wal-segsize=1"];
        if (Environment.IsPrivilegedProcess) await ServerProcess.RunAsync("chown", ["postgres", _directory.Path, _log?.Path ?? _directory.Path]);
        await RunAsPostgresAsync(Programs + "initdb", ["-D", Data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", .. log]);
        await StartAsync();
    }

    /// <summary>One of a test's own that logs its statements: see <see cref="StatementsOfAsync"/>.</summary>
    public static async Task<PostgresServer> StartLoggingAsync()
    {
        var server = new PostgresServer();
        await server.InitializeAsync();
        await server.ExecuteAsync("ALTER SYSTEM SET log_statement = 'all'");
        await server.ExecuteAsync("SELECT pg_reload_conf()");
        return server;
    }

    /// <summary>A standby of it, on a directory and a port of its own, that copies what it does.</summary>
    public async Task<PostgresServer> StartStandbyAsync()
    {
        var standby = new PostgresServer();
        if (Environment.IsPrivilegedProcess) await ServerProcess.RunAsync("chown", "postgres", standby._directory.Path);
        await RunAsPostgresAsync(
            Programs + "pg_basebackup", "-D", standby.Data, "-h", "127.0.0.1", "-p", _port.ToString(CultureInfo.InvariantCulture), "-U", "postgres", "-R", "-c",
            "fast", "--no-sync");
        await standby.StartAsync();
        return standby;
    }

    /// <summary>A connection string that finds the one of the two that is the primary.</summary>
    public string OwnerWith(PostgresServer other) => Owner.Replace(
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port}"),
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1:{_port},127.0.0.1:{other._port};Target Session Attributes=primary"),
        StringComparison.Ordinal);

    /// <summary>Starts it, on what is there; waits until it answers.</summary>
    public async Task StartAsync(params string[] settings)
    {
        string[] arguments =
        [
            "-D", Data, "-p", _port.ToString(CultureInfo.InvariantCulture), "-c", "listen_addresses=127.0.0.1", "-c",
            "unix_socket_directories=" + _directory.Path,
            .. settings.SelectMany(setting => (string[])["-c", setting]),
        ];
        var (program, all) = AsPostgres(Programs + "postgres", arguments);
        for (var attempt = 0; ; attempt++)
        {
            _process = ServerProcess.Start(program, all);
            try
            {
                await _process.UpAsync(() => ExecuteAsync("SELECT 1"));
                return;
            }
            catch (InvalidOperationException) when (attempt < 50)
            {
                // It does not start before the last process of a killed one is gone.
                await _process.DisposeAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            }
        }
    }

    /// <summary>Waits until it answers; starts it again if it has stopped by itself.</summary>
    public Task RestartedAsync() => _process!.RestartedAsync(() => ExecuteAsync("SELECT 1"), () => StartAsync());

    /// <summary>As a crash does it: the process that all others of the server belong to is killed, and they follow.</summary>
    public Task KillAsync() => _process!.KillAsync();

    /// <summary>The process that all connections of the server go through, and those that serve them, take part no more.</summary>
    public async Task FreezeAsync()
    {
        _backends = [.. (await BackendsAsync()).Append(_process!.Id)];
        foreach (var id in _backends) ServerProcess.Freeze(id);
    }

    public void Thaw()
    {
        foreach (var id in _backends) ServerProcess.Thaw(id);
        _backends = [];
    }

    /// <summary>A connection string to an empty database of a test's own.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = "t" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);
        await ExecuteAsync($"CREATE DATABASE {name}");
        return ConnectionString("postgres", name);
    }

    public string ConnectionString(string user, string database) =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Username={user};Database={database};Timeout=5;Maximum Pool Size=20");

    /// <summary>Runs statements, unpooled.</summary>
    public async Task ExecuteAsync(string sql, string? connectionString = null)
    {
        await using var connection = new NpgsqlConnection((connectionString ?? Owner) + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first words of the statements that clients ran meanwhile, by the server's log (<c>log_statement = all</c>).</summary>
    public async Task<string[]> StatementsOfAsync(Func<Task> act)
    {
        var marker = "marker " + Path.GetRandomFileName();
        await ExecuteAsync($"SELECT '{marker} begin'");
        await act();
        await ExecuteAsync($"SELECT '{marker} end'");
        string log;
        for (log = _process!.Output; !log.Contains(marker + " end", StringComparison.Ordinal); log = _process.Output)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        var lines = log[(log.IndexOf(marker + " begin", StringComparison.Ordinal) + 1)..log.IndexOf(marker + " end", StringComparison.Ordinal)].Split('\n');
        return [.. lines[..^1].Where(line => line.Contains("LOG:  execute", StringComparison.Ordinal)).Select(line => line[(line.IndexOf("execute", StringComparison.Ordinal))..].Split(' ', 3)[2].Split(' ')[0])];
    }

    public async Task<T> ScalarAsync<T>(string sql, string? connectionString = null)
    {
        await using var connection = new NpgsqlConnection((connectionString ?? Owner) + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)Convert.ChangeType((await command.ExecuteScalarAsync())!, typeof(T), CultureInfo.InvariantCulture);
    }

    /// <summary>The server's own processes, by its own account of them.</summary>
    private async Task<int[]> BackendsAsync()
    {
        await using var connection = new NpgsqlConnection(Owner + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()", connection);
        await using var reader = await command.ExecuteReaderAsync();
        var ids = new List<int>();
        while (await reader.ReadAsync()) ids.Add(reader.GetInt32(0));
        return [.. ids];
    }

    public async ValueTask DisposeAsync()
    {
        // What is frozen does not notice that it has to go.
        Thaw();
        if (_process is not null) await _process.DisposeAsync();
        _directory.Dispose();
        _log?.Dispose();
    }

    private static Task<string> RunAsPostgresAsync(string program, params string[] arguments)
    {
        var (actual, all) = AsPostgres(program, arguments);
        return ServerProcess.RunAsync(actual, all);
    }

    /// <summary>The server refuses to run as root.</summary>
    private static (string Program, string[] Arguments) AsPostgres(string program, string[] arguments) => Environment.IsPrivilegedProcess
        ? ("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", program, .. arguments])
        : (program, arguments);
}
