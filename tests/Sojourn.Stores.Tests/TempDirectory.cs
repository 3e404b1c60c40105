namespace Sojourn.Stores.Tests;

/// <summary>A directory of a test's own, removed with what is in it.</summary>
/// <param name="disk">Where it is; where temporary directories are when <see langword="null"/>.</param>
internal sealed class TempDirectory(SmallDisk? disk = null) : IDisposable
{
    public string Path { get; } = disk is null
        ? Directory.CreateTempSubdirectory("sojourn-").FullName
        : Directory.CreateDirectory(System.IO.Path.Combine(disk.Path, "data")).FullName;

    public string File => System.IO.Path.Combine(Path, "sessions.db");

    public string ConnectionString => "Data Source=" + File;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
