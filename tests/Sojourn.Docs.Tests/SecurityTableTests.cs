using System.Reflection;
using System.Text.RegularExpressions;

namespace Sojourn.Docs.Tests;

/// <summary>What docs/security.md says is shown by a test is shown by one that bears the number in its name.</summary>
public sealed partial class SecurityTableTests
{
    private static readonly string Root = typeof(SecurityTableTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(
        a => a.Key == "RepositoryRoot").Value!;

    private static readonly ILookup<string, string> Tests = new[] { "tests", Path.Combine("src", "Sojourn.Testing") }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories))
        .Select(File.ReadAllText)
        .SelectMany(
            source =>
                Classes(source).SelectMany(type => Test().Matches(source).Select(test => (Name: type + "." + test.Groups["name"].Value, Test: test.Value))))
        .ToLookup(test => test.Name, test => test.Test);

    public static TheoryData<string, string> Rows()
    {
        var rows = new TheoryData<string, string>();
        foreach (Match row in Row().Matches(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "pages", "security.md"))))
        {
            rows.Add(row.Groups[1].Value, row.Groups[2].Value);
        }

        return rows;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_row_names_tests_that_bear_its_number_or_says_why_there_are_none(string number, string shown)
    {
        if (Reason().IsMatch(shown))
        {
            return;
        }

        var names = Name().Matches(shown).Select(name => name.Groups[1].Value).ToList();
        Assert.NotEmpty(names);
        foreach (var name in names)
        {
            Assert.True(Tests[name].Count() == 1, $"{number}: there is no test {name}, or more than one.");
            Assert.True(
                Numbers().Match(name).Groups[1].Captures.Any(capture => capture.Value == number + "_"),
                $"{name} does not bear the number {number}.");
        }
    }

    [Fact]
    public void No_number_is_missing()
    {
        var numbers = Rows().Select(row => row.Data.Item1).ToList();
        foreach (var (letter, last) in new[] { ('A', 44), ('O', 32), ('N', 17), ('K', 13), ('V', 31) })
        {
            Assert.Equal(Enumerable.Range(1, last).Select(number => $"{letter}{number}"), numbers.Where(number => number[0] == letter));
        }
    }

    private static IEnumerable<string> Classes(string source) => Class().Matches(source).Select(type => type.Groups[1].Value).Take(1);

    [GeneratedRegex(@"^\| ([AOKNV]\d+) \| [^|]+ \| ([^|]+) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("^(later: |by construction: |the application's: )")]
    private static partial Regex Reason();

    [GeneratedRegex(@"`(\w+\.\w+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"\.([AOKNV]\d+_)+")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"^(?:public|internal) [^\n]*\bclass (\w+)", RegexOptions.Multiline)]
    private static partial Regex Class();

    [GeneratedRegex(@"^ +\[(?:Fact|Theory)\b.*\n(?: +\[.*\n)*? +public (?:async )?(?:Task|void|ValueTask) (?<name>\w+)\(", RegexOptions.Multiline)]
    private static partial Regex Test();
}
