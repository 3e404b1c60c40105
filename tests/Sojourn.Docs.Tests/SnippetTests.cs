using System.Text.RegularExpressions;

namespace Sojourn.Docs.Tests;

/// <summary>Every C# fence of the documentation is, to the letter, a region of Sojourn.Docs, which compiles.</summary>
public sealed partial class SnippetTests
{
    private static readonly Dictionary<string, string> Regions = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "snippets"), "*.cs")
        .SelectMany(file => Region().Matches(File.ReadAllText(file)))
        .ToDictionary(region => region.Groups[1].Value, region => Unindented(region.Groups[2].Value));

    public static TheoryData<string, string, string> Fences()
    {
        var fences = new TheoryData<string, string, string>();
        foreach (var page in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "pages"), "*.md"))
        {
            foreach (Match fence in Fence().Matches(File.ReadAllText(page))) fences.Add(Path.GetFileName(page), fence.Groups[1].Value, fence.Groups[2].Value);
        }

        return fences;
    }

    [Theory]
    [MemberData(nameof(Fences))]
    public void A_fence_is_its_region(string page, string name, string code)
    {
        Assert.True(
            Regions.TryGetValue(name, out var region),
            $"{page}: a C# fence needs 'snippet=' and the name of a region of Sojourn.Docs; this one says '{name}'.");
        Assert.Equal(region, Unindented(code));
    }

    private static string Unindented(string code)
    {
        var lines = code.Trim('\n').Split('\n').Select(line => line.TrimEnd()).ToList();
        var indent = lines.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length > 0 ? line[indent..] : line));
    }

    [GeneratedRegex(@"#region (\S+)\n(.*?)\n[ ]*#endregion", RegexOptions.Singleline)]
    private static partial Regex Region();

    [GeneratedRegex(@"^```csharp(?: snippet=(\S+))?\n(.*?)\n```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();
}
