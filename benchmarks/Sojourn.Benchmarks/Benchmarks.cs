using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Transport;
using Sojourn.Document;

namespace Sojourn.Benchmarks;

/// <summary>The check of a token, which any stranger can ask for: no allocation.</summary>
[MemoryDiagnoser]
public class TokenBenchmarks
{
    private readonly SessionToken _token = new(Options.Create(new SojournOptions { Secrets = ["the benchmark's secret, 32 characters or more"] }));
    private string _good = "";
    private string _forged = "";

    [GlobalSetup]
    public void SetUp()
    {
        _good = SessionToken.Encode(_token.Write(SessionId.New()));
        _forged = _good[..^3] + "AAA";
    }

    [Benchmark(Baseline = true)]
    public bool Check() => Verify(_good);

    [Benchmark]
    public bool CheckForged() => Verify(_forged);

    private bool Verify(string value)
    {
        Span<byte> token = stackalloc byte[512];
        return _token.TryVerify(value, isEncoded: true, token, out _, out _);
    }
}

/// <summary>The document of a 1 KB session.</summary>
[MemoryDiagnoser]
public class DocumentBenchmarks
{
    private readonly byte[] _utf8 = Payload.Document(1024);
    private readonly byte[] _again = Payload.Document(1024);
    private SessionDocument _document = null!;

    [GlobalSetup]
    public void SetUp() => _document = SessionDocument.Parse(_utf8)!;

    [Benchmark]
    public object? Parse() => SessionDocument.Parse(_utf8);

    /// <summary>What is asked of a remembered document in place of that.</summary>
    [Benchmark]
    public bool Recognise() => _document.IsOf(_again);

    [Benchmark]
    public byte[] Write() => _document.ToUtf8();
}

/// <summary>A 1 KB session over the memory store, from load to commit.</summary>
[MemoryDiagnoser]
public class SessionBenchmarks
{
    private SessionManager _manager = null!;
    private string _id = "";

    [GlobalSetup]
    public async Task SetUp()
    {
        var services = new ServiceCollection();
        services.AddSojournCore();
        services.Configure<SojournOptions>(options => options.ApplicationName = "benchmark");
        _manager = services.BuildServiceProvider().GetRequiredService<SessionManager>();
        var session = _manager.Create();
        session.Set("counter", 0);
        for (var i = 0; i < 10; i++)
        {
            session.Set($"entry{i}", new string('x', 82));
        }

        await session.SaveAsync();
        _id = session.Id;
    }

    [Benchmark(Baseline = true)]
    public async Task<string?> LoadAndRead()
    {
        var session = await _manager.LoadAsync(_id);
        var value = session!.Get<string>("entry5");
        await _manager.CommitAsync(session);
        return value;
    }

    [Benchmark]
    public async Task<int> LoadAndWrite()
    {
        var session = await _manager.LoadAsync(_id);
        var counter = 1 + session!.Get<int>("counter");
        session.Set("counter", counter);
        await _manager.CommitAsync(session);
        return counter;
    }
}
