using System.Text.Json.Nodes;
using Sojourn.Tool;
using Sojourn.Tool.Stores;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>The command line itself: what it refuses, secrets, completion.</summary>
public sealed class ToolTests
{
    private static readonly string Program = Path.GetFullPath(
        Path.Combine(
            AppContext.BaseDirectory, "..", "..", "Sojourn.Tool", Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar)),
            "Sojourn.Tool.dll"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("nonsense")]
    [InlineData("list", "--nonsense")]
    [InlineData("list")]
    [InlineData("list", "--store", "http://example.org")]
    [InlineData("list", "--store", "redis://u:hush@h", "--layout", "connect-mongo")]
    [InlineData("list", "--store", "redis://u:hush@h", "--set", "Nonsense=1")]
    [InlineData("list", "--store", "redis://u:hush@h", "--set", "WaitForReplicas=many")]
    [InlineData("list", "--store", "redis://u:hush@h", "--set", "WaitForReplicas=99")]
    [InlineData("list", "--store", "mongodb://u:hush@")]
    [InlineData("list", "--store", "postgres://u:hush@h:port/d")]
    [InlineData("list", "--store", "mysql:Password=hush;Nonsense=1")]
    [InlineData("end", "--store", "redis://h", "--yes")]
    [InlineData("end", "--store", "redis://h", "--yes", "--except", "x")]
    [InlineData("end", "--store", "redis://h", "--yes", "--everything", "--subject", "x")]
    [InlineData("doctor", "ftp://example.org")]
    public async Task What_makes_no_sense_is_refused_and_no_password_repeated(params string[] arguments)
    {
        var run = await ToolRun.RunAsync(arguments);
        Assert.Equal(2, run.Code);
        Assert.NotEqual("", run.Error);
        Assert.DoesNotContain("hush", run.Error + run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("redis://ada:p%40ss@one:6380,two:6381/3?connectTimeout=100", "redis one:6380,two:6381/3", "password=p@ss")]
    [InlineData("rediss://one:6380", "redis one:6380/0", "ssl=True")]
    [InlineData("redis:one:6380,password=hush", "redis one:6380/0", "password=hush")]
    [InlineData("postgres://ada:p%40ss@one:5433/shop?SSL%20Mode=Require", "postgres one:5433/shop", "Password=p@ss")]
    [InlineData("postgresql://one,two/shop", "postgres one,two:5432/shop", "Host=one,two")]
    [InlineData("mysql://ada:hush@one/shop", "mysql one:3306/shop", "User ID=ada")]
    [InlineData("mongodb://ada:hush@one:27018/shop", "mongodb one:27018/shop", "mongodb://ada:hush@one:27018/shop")]
    [InlineData("sqlite:data/sessions.db", "sqlite data/sessions.db", "Data Source=data/sessions.db")]
    [InlineData("sqlite:///data/sessions.db", "sqlite /data/sessions.db", "Data Source=/data/sessions.db")]
    public void An_address_is_shown_without_user_and_password(string text, string display, string connectionString)
    {
        var address = StoreAddress.Parse(text);
        Assert.Equal(display, address.Display);
        Assert.Contains(connectionString, address.ConnectionString, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_new_secret_is_256_random_bits()
    {
        var (one, two) = ((await ToolRun.RunAsync("secret", "new")).Output.Trim(), (string)(await ToolRun.JsonAsync("secret", "new"))["secret"]!);
        Assert.Equal((32, 32), (Convert.FromBase64String(one).Length, Convert.FromBase64String(two).Length));
        Assert.NotEqual(one, two);
    }

    [Fact]
    public async Task Secrets_of_a_file_are_rotated_and_not_printed()
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "appsettings.json");
        await File.WriteAllTextAsync(file, """{ "Logging": { "Level": "<Warn>" }, "Sojourn": { "Secrets": ["first"], "IdleTimeout": "00:30:00" } }""", Token);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        async Task<string[]> RotateAsync(params string[] arguments)
        {
            var run = await ToolRun.RunAsync(["secret", "rotate", "--file", file, .. arguments]);
            Assert.True(run.Code == 0, run.Error);
            var json = JsonNode.Parse(await File.ReadAllTextAsync(file, Token))!;
            Assert.Equal(("<Warn>", "00:30:00"), ((string?)json["Logging"]!["Level"], (string?)json["Sojourn"]!["IdleTimeout"]));
            string[] secrets = [.. json["Sojourn"]!["Secrets"]!.AsArray().Select(secret => (string)secret!)];
            Assert.All(secrets, secret => Assert.DoesNotContain(secret, run.Output + run.Error, StringComparison.Ordinal));
            return secrets;
        }

        Assert.Equal(2, (await ToolRun.RunAsync("secret", "rotate", "--file", file, "--promote")).Code);
        var two = await RotateAsync();
        Assert.Equal("first", Assert.Single(two[1..]));
        var three = await RotateAsync("--verify-only");
        Assert.Equal(two, three[..2]);
        Assert.Equal([three[2], three[0]], await RotateAsync("--promote"));
        Assert.Equal(3, (await RotateAsync("--keep", "3")).Length);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal([file], Directory.GetFiles(directory.Path));

        await File.WriteAllTextAsync(file, """{ "Sojourn": { "Secrets": ["hush"] } } // ours""", Token);
        var commented = await ToolRun.RunAsync("secret", "rotate", "--file", file);
        Assert.Equal(2, commented.Code);
        Assert.DoesNotContain("hush", commented.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await ToolRun.RunAsync("secret", "rotate", "--file", file + ".missing")).Code);
    }

    [Fact]
    public async Task A_handle_that_begins_with_a_dash_is_no_option()
    {
        using var directory = new TempDirectory();
        string[] store = ["--store", "sqlite:" + directory.File];
        await ToolRun.RunAsync(["schema", "--apply", .. store]);
        Assert.Equal((1, "0 sessions ended."), await CodeAndOutputAsync(["end", "--handle", "-hj5pu3N5RCQzVyI-DAGA", "--yes", .. store]));
        Assert.Equal((1, ""), await CodeAndOutputAsync(["show", .. store, "--", "-hj5pu3N5RCQzVyI-DAGA"]));
    }

    [Fact]
    public async Task A_shell_completes_its_words()
    {
        var script = Path.Combine(AppContext.BaseDirectory, "complete.sh");
        await File.WriteAllTextAsync(script,
            $$"""
            sojourn() { dotnet exec {{Program}} "$@"; }
            source <(sojourn completion bash)
            COMP_LINE="sojourn mig" COMP_POINT=11; _sojourn; echo "${COMPREPLY[*]}"
            COMP_LINE="sojourn list --lay" COMP_POINT=18; _sojourn; echo "${COMPREPLY[*]}"
            """, Token);
        Assert.Equal("migrate\n--layout", (await ServerProcess.RunAsync("bash", script)).Trim());
        foreach (var shell in new[] { "zsh", "fish", "pwsh" }) Assert.Contains(
            "suggest:", (await ToolRun.RunAsync("completion", shell)).Output, StringComparison.Ordinal);
        Assert.Equal(2, (await ToolRun.RunAsync("completion", "cmd")).Code);
    }

    [Fact]
    public void What_came_from_a_store_cannot_drive_a_terminal() =>
        Assert.Equal("a\uFFFD[31mb\uFFFDc", Output.Safe("a\u001b[31mb\u202ec"));

    private static async Task<(int, string)> CodeAndOutputAsync(string[] arguments)
    {
        var run = await ToolRun.RunAsync(arguments);
        return (run.Code, run.Output.Trim());
    }
}
