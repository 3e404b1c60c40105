using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Sojourn.Tool;

/// <summary>What a command says: a table, or with --json one JSON document. Progress goes to the error stream, so that the output can be piped.</summary>
internal sealed class Output
{
    public static readonly Option<bool> Json = new("--json") { Description = "Print JSON.", Recursive = true };

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions OneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly ToolConsole _console;

    public Output(ToolConsole console, ParseResult parsed)
    {
        (_console, IsJson) = (console, parsed.GetValue(Json));
        Text = Make(console.Output, console.IsOutputTerminal);
        Progress = Make(console.Error, console.IsErrorTerminal);
    }

    public bool IsJson { get; }

    /// <summary>For people.</summary>
    public IAnsiConsole Text { get; }

    /// <summary>For people who wait.</summary>
    public IAnsiConsole Progress { get; }

    /// <summary>Prints the one answer of a command.</summary>
    public void Write(JsonNode json, Action<IAnsiConsole> text)
    {
        if (IsJson)
        {
            _console.Output.WriteLine(json.ToJsonString(Indented));
        }
        else
        {
            text(Text);
        }
    }

    /// <summary>Prints one of many answers as it comes: with --json, one line.</summary>
    public void WriteLine(JsonNode json, string text) => _console.Output.WriteLine(IsJson ? json.ToJsonString(OneLine) : text);

    public static Table Table(params IEnumerable<string> columns)
    {
        var table = new Table().Border(TableBorder.None);
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))).NoWrap().PadLeft(0).PadRight(2));
        }

        return table;
    }

    /// <summary>Names and values, one a line.</summary>
    public static Table Facts(params IEnumerable<(string Name, string? Value)> facts)
    {
        var table = Table("", "").HideHeaders();
        foreach (var (name, value) in facts)
        {
            if (value is not null)
            {
                table.AddRow(new Text(name), new Text(Safe(value)));
            }
        }

        return table;
    }

    /// <summary>Adds a row of what came from a store: no markup and no control characters, which a terminal would obey.</summary>
    public static void AddRow(Table table, params IEnumerable<string?> cells) => table.AddRow(cells.Select(static cell => new Text(Safe(cell ?? ""))));

    public static string? Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string Count(long number, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{number:N0} {(number == 1 ? one : many)}");

    public static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>For a terminal, which would obey control characters and reorder by others.</summary>
    public static string Safe(string text) =>
        string.Concat(text.Select(static c => char.IsControl(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format ? '\uFFFD' : c));

    private static IAnsiConsole Make(TextWriter writer, bool isTerminal)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!isTerminal)
        {
            // Nothing is cut or wrapped in a pipe.
            console.Profile.Width = 2_000;
        }

        return console;
    }
}
