using System.Collections.Concurrent;
using System.Globalization;
using MongoDB.Bson;
using MongoDB.Driver;
using MongoDB.Driver.Core.Events;
using Sojourn.Stores.Tests.MongoDb;

[assembly: AssemblyFixture(typeof(MongoServer))]

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>
/// MongoDB for the tests: a real server where <c>SOJOURN_MONGODB_URI</c> names one, used in a database of its own that is dropped at the end; else the
/// stand-in of <c>tests/mini-mongod</c> on a port of its own, which keeps everything in memory.
/// </summary>
public sealed class MongoServer : IAsyncLifetime
{
    private static readonly SemaphoreSlim Installing = new(1, 1);
    private static readonly string? RealServer = Environment.GetEnvironmentVariable("SOJOURN_MONGODB_URI");
    private readonly int _port = ServerProcess.FreePort();
    private readonly bool _isReal;
    private ServerProcess? _process;

    public MongoServer()
        : this(!string.IsNullOrEmpty(RealServer))
    {
    }

    private MongoServer(bool isReal) => _isReal = isReal;

    /// <summary>A server of one test's own, to be killed, frozen or made to fail: the stand-in.</summary>
    public static async Task<MongoServer> StartOwnAsync()
    {
        Assert.SkipUnless(string.IsNullOrEmpty(RealServer), "SOJOURN_MONGODB_URI names a server that is not this test's to kill or to make fail.");
        var server = new MongoServer(isReal: false);
        await server.InitializeAsync();
        return server;
    }

    public string ConnectionString =>
        _isReal
            ? RealServer!
            : string.Create(CultureInfo.InvariantCulture, $"mongodb://127.0.0.1:{_port}/?serverSelectionTimeoutMS=5000&heartbeatFrequencyMS=1000");

    public string DatabaseName { get; } = "sojourn_tests_" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);

    public IMongoClient Client { get; private set; } = null!;

    public IMongoDatabase Database => Client.GetDatabase(DatabaseName);

    public async ValueTask InitializeAsync()
    {
        Client = new MongoClient(ConnectionString);
        if (!_isReal) await StartAsync();
    }

    public async Task StartAsync()
    {
        var directory = Path.Combine(RepositoryRoot(), "tests", "mini-mongod");
        await Installing.WaitAsync();
        try
        {
            if (!Directory.Exists(Path.Combine(directory, "node_modules"))) await ServerProcess.RunAsync("npm", "ci", "--ignore-scripts", "--prefix", directory);
        }
        finally
        {
            Installing.Release();
        }
        _process = ServerProcess.Start("node", Path.Combine(directory, "mini-mongod.mjs"), _port.ToString(CultureInfo.InvariantCulture));
        await _process.UpAsync(() => Client.GetDatabase("admin").RunCommandAsync<BsonDocument>(new BsonDocument("ping", 1)));
    }

    public Task KillAsync() => _process!.KillAsync();

    public void Freeze() => _process!.Freeze();

    public void Thaw() => _process!.Thaw();

    /// <summary>Has the next calls of a command fail, as the fail point <c>failCommand</c> of MongoDB does it.</summary>
    public Task FailAsync(string command, BsonDocument how, int times = 1) => Client.GetDatabase("admin").RunCommandAsync<BsonDocument>(new BsonDocument
    {
        { "configureFailPoint", "failCommand" },
        { "mode", new BsonDocument("times", times) },
        { "data", new BsonDocument("failCommands", new BsonArray { command }).AddRange(how) },
    });

    /// <summary>A client that notes the commands it sends, those of connecting aside.</summary>
    public IMongoClient NewClient(ConcurrentQueue<BsonDocument> commands)
    {
        var settings = MongoClientSettings.FromConnectionString(ConnectionString);
        settings.ClusterConfigurator = cluster => cluster.Subscribe<CommandStartedEvent>(command =>
        {
            if (command.CommandName is not ("hello" or "isMaster" or "saslStart" or "saslContinue" or "endSessions")) commands.Enqueue(command.Command.DeepClone().AsBsonDocument);
        });
        return new MongoClient(settings);
    }

    /// <summary>The names of the commands that a client of <see cref="NewClient"/> sends meanwhile.</summary>
    public static async Task<string[]> SentAsync(ConcurrentQueue<BsonDocument> commands, Func<Task> act)
    {
        commands.Clear();
        await act();
        return [.. commands.Select(command => command.GetElement(0).Name)];
    }

    public async ValueTask DisposeAsync()
    {
        if (_isReal) await Client.DropDatabaseAsync(DatabaseName);
        Client.Dispose();
        if (_process is not null) await _process.DisposeAsync();
    }

    private static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Sojourn.slnx"))) directory = directory.Parent!;
        return directory.FullName;
    }
}
