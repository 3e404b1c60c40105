using System.Text;
using System.Text.Json.Nodes;
using Sojourn.Tool;

namespace Sojourn.Stores.Tests.Tool;

/// <summary>The tool, run within this process as its Main runs it, with what it printed.</summary>
internal sealed record ToolRun(int Code, string Output, string Error)
{
    public JsonNode Json => JsonNode.Parse(Output)!;

    public static Task<ToolRun> RunAsync(params string[] arguments) => RunAsync(arguments, answer: null);

    public static async Task<ToolRun> RunAsync(
        string[] arguments, string? answer, Func<string, string?>? variable = null, CancellationToken cancellationToken = default)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var input = new StringReader(answer ?? "");
        var code = await CommandLine.RunAsync(
            arguments, new ToolConsole(output, error, input) { Variable = variable ?? (static _ => null) }, cancellationToken);
        return new ToolRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs it and expects that it is done.</summary>
    public static async Task<JsonNode> JsonAsync(params string[] arguments)
    {
        var run = await RunAsync([.. arguments, "--json"]);
        Assert.True(run.Code == 0, $"{string.Join(' ', arguments)} ended with {run.Code}: {run.Error}{run.Output}");
        return run.Json;
    }
}

/// <summary>Text that one writes and another waits for.</summary>
internal sealed class WatchedText : StringWriter
{
    private readonly Lock _gate = new();

    public override void Write(char value)
    {
        lock (_gate) base.Write(value);
    }

    public override void Write(string? value)
    {
        lock (_gate) base.Write(value);
    }

    public override void WriteLine(string? value)
    {
        lock (_gate) base.WriteLine(value);
    }

    public override Task WriteLineAsync(string? value)
    {
        WriteLine(value);
        return Task.CompletedTask;
    }

    public override string ToString()
    {
        lock (_gate) return new StringBuilder(base.ToString()).ToString();
    }

    public async Task ContainsAsync(string text)
    {
        for (var attempt = 0; !ToString().Contains(text, StringComparison.Ordinal); attempt++)
        {
            Assert.True(attempt < 600, $"'{text}' never came: {this}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }
}
