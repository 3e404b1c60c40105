using System.Globalization;
using Sojourn.Storage;

namespace Sojourn.Benchmarks;

/// <summary>A million sessions of 1 KB in the memory store: the heap they take over the bytes of their documents.</summary>
internal static class MemoryMillion
{
    private const int Sessions = 1_000_000;

    public static async Task RunAsync()
    {
        var store = new MemorySessionStore(new MemorySessionStoreOptions { MaxSessions = Sessions });
        var ids = new SessionId("benchmark");
        var template = Payload.Document(1024);
        var expires = DateTimeOffset.UtcNow.AddMinutes(20);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 0; i < Sessions; i++)
        {
            var key = ids.KeyOf(i.ToString(CultureInfo.InvariantCulture));
            await store.CreateAsync(key, new SessionRecord(template.ToArray(), expires.AddMilliseconds(i)), CancellationToken.None);
        }

        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var used = GC.GetTotalMemory(forceFullCollection: true) - before;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Sessions} sessions of {template.Length} bytes: {used / 1048576} MiB"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"RESULT {used / ((double)Sessions * template.Length):0.000}"));
        GC.KeepAlive(store);
    }
}
