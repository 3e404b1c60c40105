using System.Globalization;

namespace Sojourn.Stores.Tests;

/// <summary>A small file system of a test's own, in memory, to be filled up. Mounting one takes root, or a sudo that does not ask.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const int NoSpaceLeft = 28;

    private readonly TempDirectory _mountPoint = new();

    private SmallDisk()
    {
    }

    public string Path => _mountPoint.Path;

    private string Filler => System.IO.Path.Combine(Path, "filler");

    /// <exception cref="InvalidOperationException">It cannot be mounted, in continuous integration; elsewhere the test is skipped.</exception>
    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk();
        try
        {
            await AsRootAsync(
                "mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={megabytes}m,mode=1777"), "sojourn-tests", disk.Path);
            return disk;
        }
        catch (InvalidOperationException e)
        {
            disk._mountPoint.Dispose();
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is "true" or "1", "No disk can be mounted to be filled up: " + e.Message);
            throw;
        }
    }

    /// <summary>Takes all the room there is.</summary>
    public void Fill()
    {
        using var filler = File.OpenHandle(Filler, FileMode.Create, FileAccess.Write);
        for (var (offset, length) = (0L, 1 << 20); length > 0;)
        {
            try
            {
                RandomAccess.Write(filler, new byte[length], offset);
                offset += length;
            }
            catch (IOException e) when ((e.HResult & 0xffff) == NoSpaceLeft)
            {
                length /= 2;
            }
        }
    }

    /// <summary>Gives it back.</summary>
    public void Free() => File.Delete(Filler);

    public async ValueTask DisposeAsync()
    {
        // Lazily: the last processes of a server that was killed may still be leaving.
        await AsRootAsync("umount", "--lazy", Path);
        _mountPoint.Dispose();
    }

    private static Task<string> AsRootAsync(string program, params string[] arguments) =>
        Environment.IsPrivilegedProcess
            ? ServerProcess.RunAsync(program, arguments)
            : ServerProcess.RunAsync("sudo", ["--non-interactive", program, .. arguments]);
}
