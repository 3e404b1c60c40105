using System.Globalization;

namespace Sojourn.Benchmarks.Scale;

/// <summary>The processor time of a database: of its process, and of those that serve its connections.</summary>
/// <param name="process">The server's process id; 0: there is none.</param>
/// <param name="store">PostgreSQL has a process for each connection; what the others of its processes do in the background is not counted.</param>
internal sealed class ServerProcesses(int process, string store)
{
    public TimeSpan ProcessorTime()
    {
        if (process == 0) return TimeSpan.Zero;
        var processes = store == "pg"
            ? Directory.GetDirectories("/proc").Select(directory => directory["/proc/".Length..]).Where(
                id => int.TryParse(id, CultureInfo.InvariantCulture, out _) && IsBackend(id))
            : [process.ToString(CultureInfo.InvariantCulture)];
        return TimeSpan.FromMilliseconds(10 * processes.Sum(Ticks));
    }

    private bool IsBackend(string id) =>
        Read($"/proc/{id}/cmdline").Contains("postgres scale", StringComparison.Ordinal)
            && Fields(id) is { Length: > 1 } fields
            && fields[1] == process.ToString(CultureInfo.InvariantCulture);

    private static long Ticks(string id) =>
        Fields(id) is { Length: > 12 } fields ? long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture) : 0;

    /// <summary>From the state on: what comes before may have spaces in it.</summary>
    private static string[] Fields(string id) => Read($"/proc/{id}/stat") is { Length: > 0 } stat ? stat[(stat.LastIndexOf(')') + 2)..].Split(' ') : [];

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "";
        }
    }
}
