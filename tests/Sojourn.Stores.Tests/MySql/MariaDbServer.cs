using System.Globalization;
using MySqlConnector;

namespace Sojourn.Stores.Tests.MySql;

/// <summary>A MariaDB server of the tests' own, on a port and a directory of its own; killed by its process id.</summary>
public sealed class MariaDbServer : IAsyncLifetime
{
    private static readonly Lazy<Task<TempDirectory>> Template = new(MakeTemplateAsync);

    private readonly TempDirectory _directory;
    private readonly int _port = ServerProcess.FreePort();
    private readonly string[] _arguments;
    private ServerProcess? _process;

    public MariaDbServer()
        : this([])
    {
    }

    internal MariaDbServer(params string[] arguments)
        : this(null, arguments)
    {
    }

    /// <param name="disk">Where its data is.</param>
    /// <param name="arguments">What it is started with besides.</param>
    internal MariaDbServer(SmallDisk? disk, params string[] arguments) => (_directory, _arguments) = (new TempDirectory(disk), arguments);

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

    /// <summary>Starts it again, on what is there; waits until it answers.</summary>
    public async Task StartAsync(params string[] more)
    {
        string[] arguments =
        [
            "--no-defaults", "--user=mysql", "--datadir=" + Path.Combine(_directory.Path, "data"), "--port=" + _port.ToString(CultureInfo.InvariantCulture),
            "--bind-address=127.0.0.1", "--socket=" + Path.Combine(_directory.Path, "s.sock"), "--pid-file=" + Path.Combine(_directory.Path, "pid"),
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

    private string Rooted(string database) => new MySqlConnectionStringBuilder(Root) { Database = database, Pooling = false, AllowUserVariables = true }.ConnectionString;

    private string ConnectionString(string user) =>
        string.Create(CultureInfo.InvariantCulture, $"Server=127.0.0.1;Port={_port};User ID={user};Database=sessions;SslMode=None;Connection Timeout=5;AllowPublicKeyRetrieval=true");

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
    private static Task OwnAsync(string path) => Environment.IsPrivilegedProcess ? ServerProcess.RunAsync("chown", "-R", "mysql:mysql", path) : Task.CompletedTask;
}
