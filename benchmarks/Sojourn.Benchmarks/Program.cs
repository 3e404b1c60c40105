using BenchmarkDotNet.Running;
using Sojourn.Benchmarks;
using Sojourn.Benchmarks.Scale;

// Usage: Sojourn.Benchmarks sqlite-commits | memory-million | path [near] | scale … | hot-session … | memory-server … | <BenchmarkDotNet's own arguments>
switch (args.FirstOrDefault())
{
    case "sqlite-commits":
        await SqliteCommits.RunAsync();
        break;
    case "memory-million":
        await MemoryMillion.RunAsync();
        break;
    case "path":
        await RequestPath.RunAsync(hasNearCache: args.Contains("near", StringComparer.Ordinal));
        break;
    case "scale":
        await ScaleRun.RunAsync(args[1..]);
        break;
    case "memory-server":
        await MemoryServer.RunAsync(args[1..]);
        break;
    case "hot-session":
        await HotSession.RunAsync(args[1..]);
        break;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        break;
}
