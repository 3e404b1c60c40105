namespace Sojourn.Stores.Tests;

/// <summary>A directory of a test's own, removed with what is in it.</summary>
internal sealed class TempDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("sojourn-").FullName;

    public string File => System.IO.Path.Combine(Path, "sessions.db");

    public string ConnectionString => "Data Source=" + File;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
