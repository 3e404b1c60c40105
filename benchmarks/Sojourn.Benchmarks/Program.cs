using BenchmarkDotNet.Running;
using Sojourn.Benchmarks;

// Usage: Sojourn.Benchmarks sqlite-commits | memory-million | path | <BenchmarkDotNet's own arguments>
switch (args.FirstOrDefault())
{
    case "sqlite-commits":
        await SqliteCommits.RunAsync();
        break;
    case "memory-million":
        await MemoryMillion.RunAsync();
        break;
    case "path":
        await RequestPath.RunAsync();
        break;
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        break;
}
