using System.Globalization;
using System.Text.RegularExpressions;

namespace Sojourn.Docs.Tests;

/// <summary>Lines fit the screen, which no formatter sees to.</summary>
public sealed partial class LineLengthTests
{
    [Fact]
    public void No_line_of_the_libraries_is_longer_than_the_editorconfig_says()
    {
        var most = int.Parse(
            MaxLineLength().Match(File.ReadAllText(Path.Combine(Packages.Root, ".editorconfig"))).Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        var source = Path.Combine(Packages.Root, "src");
        var files = Directory.GetFiles(source, "*.cs", SearchOption.AllDirectories);
        Assert.NotEmpty(files);

        // A text that stands as it is cannot be broken.
        Assert.Empty(files.SelectMany(file => File.ReadLines(file)
            .Select((line, index) => (Place: $"{Path.GetRelativePath(source, file)}:{index + 1}", Text: line))
            .Where(line => line.Text.Length > most && !line.Text.Contains("\"\"\"", StringComparison.Ordinal))
            .Select(line => line.Place)));
    }

    [GeneratedRegex("max_line_length = ([0-9]+)")]
    private static partial Regex MaxLineLength();
}
