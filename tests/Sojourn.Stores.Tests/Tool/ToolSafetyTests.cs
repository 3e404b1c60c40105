using System.Net;
using System.Net.Sockets;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Sojourn.Sqlite;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>What the tool must not do to files, secrets and databases, whatever it is given.</summary>
public sealed class ToolSafetyTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Each of these is a secret to ASP.NET Core's configuration, whose names have no case.</summary>
    [Theory]
    [InlineData("""{"sojourn":{"secrets":["old"]}}""")]
    [InlineData("""{"Sojourn":{"Secrets":{"0":"old"}}}""")]
    [InlineData("""{"Sojourn:Secrets:0":"old"}""")]
    public async Task A_rotation_keeps_the_secret_that_the_application_reads_or_is_refused(string text)
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "file");
        await File.WriteAllTextAsync(file, text, Token);
        var run = await ToolRun.RunAsync("secret", "rotate", "--file", file);
        if (run.Code == 2)
        {
            Assert.Equal(text, await File.ReadAllTextAsync(file, Token));
            return;
        }

        var secrets = new ConfigurationBuilder().AddJsonFile(file).Build().GetSection("Sojourn:Secrets").Get<string[]>();
        Assert.Contains("old", secrets!);
    }

    [Fact]
    public async Task A_secret_that_is_null_is_told_of()
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "file");
        await File.WriteAllTextAsync(file, """{"Sojourn":{"Secrets":[null]}}""", Token);
        var run = await ToolRun.RunAsync("secret", "rotate", "--file", file);
        Assert.Equal(2, run.Code);
        Assert.DoesNotContain("Object reference", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Looking_at_another_databases_file_leaves_it_as_it_is()
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "file");
        using (var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ConnectionString))
        {
            await connection.OpenAsync(Token);
            using var make = connection.CreateCommand();
            make.CommandText = "CREATE TABLE customers (id INTEGER)";
            await make.ExecuteNonQueryAsync(Token);
        }

        await ToolRun.RunAsync("stats", "--store", "sqlite:" + file);
        using (var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false }.ConnectionString))
        {
            await connection.OpenAsync(Token);
            using var count = connection.CreateCommand();
            count.CommandText = "SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'";
            Assert.Equal("customers", (string?)await count.ExecuteScalarAsync(Token));
        }
    }

    [Fact]
    public async Task An_application_that_does_not_answer_has_failed()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var run = await ToolRun.RunAsync("doctor", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        Assert.Equal((3, false), (run.Code, run.Error.Contains("Interrupted", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("list", "--limit", "-4")]
    [InlineData("watch", "--for", "-00:00:01")]
    [InlineData("watch", "--poll", "00:00:00")]
    public async Task Numbers_and_times_that_mean_nothing_are_told_of(string command, string option, string value)
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "sessions.db");
        await using var store = new SqliteSessionStore("Data Source=" + file);
        await store.CountAsync(Token);
        var run = await ToolRun.RunAsync(command, "--store", "sqlite:" + file, option + "=" + value);
        Assert.Equal(2, run.Code);
        Assert.Contains(option, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task So_is_a_method_that_is_none()
    {
        var run = await ToolRun.RunAsync("doctor", "http://127.0.0.1:1/", "--method", "G T");
        Assert.Equal(2, run.Code);
    }

    [Fact]
    public async Task To_watch_a_database_that_is_away_fails()
    {
        var run = await ToolRun.RunAsync("watch", "--store", "postgres://nobody@127.0.0.1:1/none");
        Assert.Equal(3, run.Code);
    }
}
