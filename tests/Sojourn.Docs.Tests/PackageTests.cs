using System.IO.Compression;
using System.Xml.Linq;

namespace Sojourn.Docs.Tests;

/// <summary>What is in the packages that users get.</summary>
public sealed class PackageTests(Packages packages)
{
    private static readonly string[] Libraries = [.. Directory.GetDirectories(Path.Combine(Packages.Root, "src")).Where(IsLibrary).Select(Path.GetFileName)!];

    public static TheoryData<string> Names => [.. Libraries];

    public static TheoryData<string> All => [.. Libraries, "Sojourn.Tool", "Sojourn.Templates"];

    [Fact]
    public async Task Each_project_is_one_package()
    {
        var feed = await packages.FeedAsync();
        Assert.Equal(
            ((string[])[.. Libraries, "Sojourn.Tool", "Sojourn.Templates"]).Order(StringComparer.Ordinal),
            Directory.GetFiles(feed, "*.nupkg").Select(file => Path.GetFileName(file)[..^".0.1.0.nupkg".Length]).Order(StringComparer.Ordinal));
        Assert.Equal(
            ((string[])[.. Libraries, "Sojourn.Tool"]).Order(StringComparer.Ordinal),
            Directory.GetFiles(feed, "*.snupkg").Select(file => Path.GetFileName(file)[..^".0.1.0.snupkg".Length]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task It_says_what_it_is_and_whence(string name)
    {
        using var package = ZipFile.OpenRead(await FileAsync(name, "nupkg"));
        var metadata = Metadata(package);
        string? Value(string element) => metadata.Element(metadata.Name.Namespace + element)?.Value;
        Assert.Equal((name, "MIT", "README.md", "icon.png"), (Value("id"), Value("license"), Value("readme"), Value("icon")));
        Assert.NotEqual("Package Description", Value("description"));
        Assert.NotNull(Value("tags"));
        var repository = metadata.Element(metadata.Name.Namespace + "repository");
        Assert.Equal("git", (string?)repository?.Attribute("type"));
        Assert.Matches("^[0-9a-f]{40}$", (string?)repository?.Attribute("commit"));
        Assert.Contains("Sojourn", await TextAsync(package, "README.md"), StringComparison.Ordinal);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], (await BytesAsync(package, "icon.png"))[..4]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_library_is_its_assembly_its_documentation_and_nothing_else(string name)
    {
        using var package = ZipFile.OpenRead(await FileAsync(name, "nupkg"));
        var files = package.Entries.Select(entry => entry.FullName).Where(
            file =>
                !file.StartsWith("_rels/", StringComparison.Ordinal)
                    && !file.StartsWith("package/", StringComparison.Ordinal)
                    && file is not "[Content_Types].xml");
        string[] expected = ["README.md", "icon.png", $"lib/net10.0/{name}.dll", $"lib/net10.0/{name}.xml", name + ".nuspec"];
        Assert.Equal(
            expected.Order(StringComparer.Ordinal),
            files.Where(
                file =>
                    !file.StartsWith("staticwebassets/", StringComparison.Ordinal)
                        && !file.StartsWith("build", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Contains("<summary>", await TextAsync(package, $"lib/net10.0/{name}.xml"), StringComparison.Ordinal);

        using var symbols = ZipFile.OpenRead(await FileAsync(name, "snupkg"));
        Assert.Contains(symbols.Entries, entry => entry.FullName == $"lib/net10.0/{name}.pdb");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_library_depends_on_what_it_references_and_on_no_analyzer(string name)
    {
        using var package = ZipFile.OpenRead(await FileAsync(name, "nupkg"));
        var metadata = Metadata(package);
        var groups = metadata.Descendants(metadata.Name.Namespace + "group").Where(group => group.Parent!.Name.LocalName == "dependencies").ToList();
        Assert.Equal("net10.0", (string?)Assert.Single(groups).Attribute("targetFramework"));
        var dependencies = groups[0].Elements().Select(dependency => (string)dependency.Attribute("id")!).ToList();
        var project = XDocument.Load(Path.Combine(Packages.Root, "src", name, name + ".csproj"));
        var referenced = project.Descendants("PackageReference").Where(
            reference => (string?)reference.Attribute("PrivateAssets") is not "all").Select(reference => (string)reference.Attribute("Include")!)
            .Concat(
                project.Descendants("ProjectReference").Select(
                    reference => Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!))).ToList();

        // What is pinned for the whole repository is named by each package that it reaches.
        var shipped = XDocument.Load(Path.Combine(Packages.Root, "Directory.Packages.props")).Descendants("ItemGroup").Where(
            group => (string?)group.Attribute("Label") is "Shipped" or "Samples")
            .Elements().Select(pinned => (string)pinned.Attribute("Include")!);
        Assert.Empty(referenced.Except(dependencies, StringComparer.Ordinal));
        Assert.Empty(dependencies.Except([.. referenced, .. shipped], StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_templates_are_what_is_in_their_folder_and_nothing_else()
    {
        using var package = ZipFile.OpenRead(await FileAsync("Sojourn.Templates", "nupkg"));
        var folder = Path.Combine(Packages.Root, "templates", "sojourn-web");
        Assert.Equal(
            Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(
                file => "content/sojourn-web/" + Path.GetRelativePath(folder, file).Replace('\\', '/')).Order(StringComparer.Ordinal),
            package.Entries.Select(entry => entry.FullName).Where(file => file.StartsWith("content/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_tool_installs_from_its_package_and_runs()
    {
        var feed = await packages.FeedAsync();
        var folder = Path.Combine(packages.Temporary, "tool");
        await Packages.RunAsync(feed, "dotnet", "tool", "install", "Sojourn.Tool", "--tool-path", folder, "--add-source", feed, "--version", "0.1.0");
        var tool = Path.Combine(folder, OperatingSystem.IsWindows() ? "sojourn.exe" : "sojourn");
        Assert.StartsWith("0.1.0", await Packages.RunAsync(folder, tool, "--version"), StringComparison.Ordinal);
        var store = "sqlite:" + Path.Combine(folder, "sessions.db");
        await Packages.RunAsync(folder, tool, "schema", "--apply", "--store", store);
        Assert.Equal("No sessions.", (await Packages.RunAsync(folder, tool, "list", "--store", store)).Trim());
    }

    private async Task<string> FileAsync(string name, string extension) => Path.Combine(await packages.FeedAsync(), $"{name}.0.1.0.{extension}");

    private static XElement Metadata(ZipArchive package)
    {
        using var stream = package.Entries.Single(entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        return XDocument.Load(stream).Root!.Elements().First();
    }

    private static async Task<string> TextAsync(ZipArchive package, string file) => System.Text.Encoding.UTF8.GetString(await BytesAsync(package, file));

    private static async Task<byte[]> BytesAsync(ZipArchive package, string file)
    {
        await using var stream = await package.GetEntry(file)!.OpenAsync(TestContext.Current.CancellationToken);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, TestContext.Current.CancellationToken);
        return copy.ToArray();
    }

    private static bool IsLibrary(string folder) =>
        Path.GetFileName(folder) is not "Sojourn.Tool" && File.Exists(Path.Combine(folder, Path.GetFileName(folder) + ".csproj"));
}
