using System.Globalization;
using MySqlConnector;

namespace Sojourn.Stores.Tests.MySql;

/// <summary>A MariaDB server of the tests' own, on a port and a directory of its own; killed by its process id.</summary>
public sealed class MariaDbServer : IAsyncLifetime
{
    private static readonly Lazy<Task<TempDirectory>> Template = new(MakeTemplateAsync);

    private readonly TempDirectory _directory;
    private readonly int _port = ServerProcess.FreePort();
    private readonly string _address = "127.0.0.1";
    private readonly string[] _arguments;
    private ServerProcess? _process;

    public MariaDbServer()
        : this([])
    {
    }

    internal MariaDbServer(params string[] arguments)
        : this((SmallDisk?)null, arguments)
    {
    }

    /// <param name="disk">Where its data is.</param>
    /// <param name="arguments">What it is started with besides.</param>
    internal MariaDbServer(SmallDisk? disk, params string[] arguments) => (_directory, _arguments) = (new TempDirectory(disk), arguments);

    /// <summary>At another address of this machine and the port of a primary, as a client that is given several addresses expects it.</summary>
    private MariaDbServer(MariaDbServer primary)
        : this((SmallDisk?)null, "--server-id=2", "--read-only", "--rpl-semi-sync-slave-enabled") => (_address, _port) = ("127.0.0.2", primary._port);

    /// <summary>Of the user that owns the server.</summary>
    public string Root => ConnectionString("root");

    /// <summary>Of a user that may use the database <c>sessions</c>, and make tables in it, and no more.</summary>
    public string App => ConnectionString("app") + ";Password=app";

    public async ValueTask InitializeAsync()
    {
        await CopyTemplateAsync();
        await StartAsync();
        await ExecuteAsync(
            """
            CREATE DATABASE sessions CHARACTER SET latin1;
            CREATE USER app@'%' IDENTIFIED BY 'app'; GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON sessions.* TO app@'%';
            CREATE USER clerk@'%' IDENTIFIED BY 'clerk'; GRANT SELECT, INSERT, UPDATE, DELETE ON sessions.* TO clerk@'%';
            """,
            database: "mysql");
    }

    /// <summary>One whose commits wait for a replica, from when there is one.</summary>
    public static async Task<MariaDbServer> StartPrimaryAsync()
    {
        var primary = new MariaDbServer(
            "--server-id=1", "--log-bin", "--binlog-format=ROW", "--rpl-semi-sync-master-enabled", "--rpl-semi-sync-master-timeout=10000");
        await primary.InitializeAsync();
        return primary;
    }

    /// <summary>A replica of a primary that holds nothing yet; whoever is no administrator may only read it.</summary>
    public async Task<MariaDbServer> StartReplicaAsync()
    {
        var position = await PositionAsync();
        var replica = new MariaDbServer(this);
        await replica.InitializeAsync();
        await replica.ExecuteAsync(string.Create(CultureInfo.InvariantCulture,
            $"SET GLOBAL gtid_slave_pos = '{position}'; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {_port}, MASTER_USER = 'root', "
            + $"MASTER_USE_GTID = slave_pos; START SLAVE"));
        while (await ScalarAsync<int>("SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'RPL_SEMI_SYNC_MASTER_CLIENTS'") == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        return replica;
    }

    /// <summary>Makes a replica the primary, once it has all of what the one before it had done.</summary>
    public async Task PromoteAsync(string position)
    {
        await ScalarAsync<int>($"SELECT MASTER_GTID_WAIT('{position}')");
        await ExecuteAsync("STOP SLAVE; SET GLOBAL read_only = 0");
    }

    /// <summary>How far the server's log goes.</summary>
    public Task<string> PositionAsync() => ScalarAsync<string>("SELECT @@gtid_binlog_pos");

    /// <summary>Of <see cref="App"/>, at whichever of the two answers.</summary>
    public string AppWith(MariaDbServer other) =>
        App.Replace($"Server={_address}", $"Server={_address},{other._address};Load Balance=FailOver", StringComparison.Ordinal);

    /// <summary>Starts it again, on what is there; waits until it answers.</summary>
    public async Task StartAsync(params string[] more)
    {
        string[] arguments =
        [
            "--no-defaults", "--user=mysql", "--datadir=" + Path.Combine(_directory.Path, "data"), "--port=" + _port.ToString(CultureInfo.InvariantCulture),
            "--bind-address=" + _address, "--socket=" + Path.Combine(_directory.Path, "s.sock"), "--pid-file=" + Path.Combine(_directory.Path, "pid"),
            "--skip-name-resolve", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", .. _arguments, .. more,
        ];
        _process = ServerProcess.Start("mariadbd", arguments);
        await _process.UpAsync(() => ExecuteAsync("SELECT 1", database: "mysql"));
    }

    /// <summary>Waits until it answers; starts it again if it has stopped by itself.</summary>
    public Task RestartedAsync() => _process!.RestartedAsync(() => ExecuteAsync("SELECT 1", database: "mysql"), () => StartAsync());

    public Task KillAsync() => _process!.KillAsync();

    public void Freeze() => _process!.Freeze();

    public void Thaw() => _process!.Thaw();

    /// <summary>A connection string to an empty database of a test's own.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = "t" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);
        await ExecuteAsync($"CREATE DATABASE {name} CHARACTER SET latin1; GRANT ALL ON {name}.* TO app@'%'");
        return new MySqlConnectionStringBuilder(App) { Database = name }.ConnectionString;
    }

    /// <summary>Runs statements as root, unpooled.</summary>
    public async Task ExecuteAsync(string sql, string database = "sessions")
    {
        await using var connection = new MySqlConnection(Rooted(database));
        await connection.OpenAsync();
        await using var command = new MySqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Reads one value as root.</summary>
    public async Task<T> ScalarAsync<T>(string sql, string database = "sessions")
    {
        await using var connection = new MySqlConnection(Rooted(database));
        await connection.OpenAsync();
        await using var command = new MySqlCommand(sql, connection);
        return (T)Convert.ChangeType((await command.ExecuteScalarAsync())!, typeof(T), CultureInfo.InvariantCulture);
    }

    /// <summary>How many statements of each kind it has run, by its own count.</summary>
    public async Task<Dictionary<string, long>> StatementsAsync()
    {
        await using var connection = new MySqlConnection(Rooted("mysql"));
        await connection.OpenAsync();
        await using var command = new MySqlCommand("SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Com\\_%' OR Variable_name = 'Questions'", connection);
        await using var reader = await command.ExecuteReaderAsync();
        var counts = new Dictionary<string, long>(StringComparer.OrdinalIgnoreCase);
        while (await reader.ReadAsync()) counts.Add(reader.GetString(0), long.Parse(reader.GetString(1), CultureInfo.InvariantCulture));
        return counts;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _directory.Dispose();
    }

    private string Rooted(string database) =>
        new MySqlConnectionStringBuilder(Root) { Database = database, Pooling = false, AllowUserVariables = true }.ConnectionString;

    private string ConnectionString(string user) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"Server={_address};Port={_port};User ID={user};Database=sessions;SslMode=None;Connection Timeout=5;AllowPublicKeyRetrieval=true");

    /// <summary>Making the system's tables takes two seconds, copying them none.</summary>
    private static async Task<TempDirectory> MakeTemplateAsync()
    {
        var template = new TempDirectory();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => template.Dispose();
        await OwnAsync(template.Path);
        await ServerProcess.RunAsync("mariadb-install-db", "--no-defaults", "--user=mysql", "--datadir=" + Path.Combine(template.Path, "data"),
            "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-log-file-size=32M");
        return template;
    }

    private async Task CopyTemplateAsync()
    {
        var template = await Template.Value;
        await ServerProcess.RunAsync("cp", "-r", Path.Combine(template.Path, "data"), _directory.Path);
        await OwnAsync(_directory.Path);
    }

    /// <summary>Run as root, the server gives up its rights and becomes the user mysql.</summary>
    private static Task OwnAsync(string path) =>
        Environment.IsPrivilegedProcess ? ServerProcess.RunAsync("chown", "-R", "mysql:mysql", path) : Task.CompletedTask;
}
