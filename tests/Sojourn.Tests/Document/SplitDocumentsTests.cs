using System.Text;
using CsCheck;
using Sojourn.Document;
using Sojourn.Storage;
using Sojourn.Tests.Storage;

namespace Sojourn.Tests.Document;

/// <summary>Documents that are split once for many requests.</summary>
public sealed class SplitDocumentsTests
{
    private const string Json = """{"cookie":{"originalMaxAge":null},"$sojourn":{"handle":"h"},"a":1,"b":"two","c":[3]}""";
    private const string Strange = """{ "__proto__":{"x":1},"$later":2, "":3,"\u0062":4,"_sojourn":{"handle":"h","ticket":{"name":"ada"},"later":[1]},"\"":5,"cookie":{}}""";
    private static CancellationToken Token => TestContext.Current.CancellationToken;
    private readonly SplitDocuments _documents = new();

    [Fact]
    public void A_document_is_remembered_once_its_session_comes_again()
    {
        var (key, fresh) = (NewKey(), Record(Json));
        for (var read = 0; read < 2; read++)
        {
            Assert.Null(_documents.Find(key, fresh));
            Assert.NotNull(_documents.Of(fresh, key));
        }

        var document = _documents.Find(key, fresh);
        Assert.NotNull(document);

        // A touch leaves the bytes, and a database reads them anew: it is the document of whatever says the same, and of nothing else.
        Assert.Same(document, _documents.Of(fresh.WithExpiry(fresh.ExpiresAt.AddMinutes(1)), key));
        Assert.Same(document, _documents.Of(Record(Json), key));
        Assert.Null(_documents.Find(key, Record(Json.Replace("two", "2wo", StringComparison.Ordinal))));
        Assert.Null(_documents.Find(key, Record(Json + " ")));
        Assert.Null(_documents.Find(NewKey(), fresh));
    }

    /// <summary>Whoever knows the session holds on to its document while that has a place among those that are remembered, and no longer.</summary>
    [Fact]
    public void Who_knows_a_session_keeps_its_document_as_long_as_it_has_a_place()
    {
        var (key, record) = (NewKey(), Record(Json));
        for (var i = 0; i < 3; i++) _ = _documents.Of(record, key);
        var (known, another) = (new KnownSession { Key = key }, new KnownSession { Key = key });
        var document = _documents.Find(known);
        Assert.NotNull(document);
        Assert.Same(document, known.Document);
        Assert.Same(document, _documents.Find(another));
        Assert.Null(known.Document);
        Assert.Same(document, _documents.Find(known));
        var kept = new List<KnownSession> { known };
        for (var i = 0; i < 10_000; i++)
        {
            kept.Add(new() { Key = NewKey() });
            _documents.Remember(kept[^1], record, document!);
        }

        Assert.InRange(kept.Count(session => session.Document is not null), 2_000, 4_096);
        var last = kept[^1];
        _documents.Forget(last.Key!);
        Assert.Null(last.Document);
        Assert.Null(_documents.Find(last));
    }

    /// <summary>Of a store in memory the bytes are there anyway, and of remembered tokens there are as many as are busy.</summary>
    [Fact]
    public void Of_a_store_in_memory_a_bounded_session_keeps_its_document_without_a_place()
    {
        var documents = new SplitDocuments(isStoreInMemory: true);
        var record = Record(Json);
        var kept = Enumerable.Range(0, 10_000).Select(_ => new BoundedSession { Key = NewKey() }).ToList();
        foreach (var session in kept)
        {
            Assert.Same(documents.Of(record, session.Key!, session), session.Document);
        }

        Assert.All(kept, session => Assert.Same(session.Document, documents.Of(record, session.Key!, session)));
        Assert.All(kept, session => Assert.Same(session.Document, documents.Find(session)));
        Assert.NotSame(kept[0].Document, documents.Of(Record(Json.Replace("two", "2wo", StringComparison.Ordinal)), kept[0].Key!, kept[0]));
        Assert.Equal("\"2wo\"", Encoding.UTF8.GetString(ValueOf(kept[0].Document!)));

        var others = Enumerable.Range(0, 10_000).Select(_ => new BoundedSession { Key = NewKey() }).ToList();
        foreach (var session in others)
        {
            _ = _documents.Of(record, session.Key!, session);
            _ = _documents.Of(record, session.Key!, session);
        }

        Assert.InRange(others.Count(session => session.Document is not null), 2_000, 4_096);

        static byte[] ValueOf(SessionDocument document) => document.TryGet("b", out var value) ? value.ToArray() : [];
    }

    /// <summary>Also where it has no place by which it could be found.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_has_ended_or_has_another_id_is_not_kept(bool isRenewed)
    {
        var engine = new Engine(new MemorySessionStore(), Engine.NewClock());
        var stored = engine.Sessions.Create();
        stored.Set("a", 0);
        await stored.SaveAsync(Token);
        var known = new BoundedSession { Key = stored.Key };
        var session = await engine.Sessions.LoadAsync(stored.Id, stored.Key, null, isCopyEnough: true, Token, known);
        var document = known.Document;
        Assert.NotNull(document);
        var documents = ((ISessionOperations)engine.Sessions).Documents;
        for (var i = 0; documents.Find(stored.Key) is not null; i++)
        {
            Assert.InRange(i, 0, 100_000);
            documents.Remember(new BoundedSession { Key = NewKey() }, session!.Record!, document);
        }

        Assert.Same(document, known.Document);
        await (isRenewed ? session!.RenewIdAsync(Token) : session!.DestroyAsync(Token));
        Assert.Null(known.Document);
    }

    [Fact]
    public void A_long_document_is_not_remembered()
    {
        var key = NewKey();
        var record = Record($$"""{"long":"{{new string('x', 10_000)}}"}""");
        for (var i = 0; i < 5; i++)
        {
            Assert.NotNull(_documents.Of(record, key));
        }

        Assert.Null(_documents.Find(key, record));
    }

    [Fact]
    public void Metadata_of_a_later_format_is_not_remembered()
    {
        var key = NewKey();
        var record = Record("""{"$sojourn":{"created":"never"}}""");
        for (var i = 0; i < 5; i++)
        {
            Assert.Null(_documents.Of(record, key)!.ReadMetadata());
        }

        Assert.Null(_documents.Find(key, record));
    }

    /// <summary>Splitting what was written gives the very document that wrote it, whatever was done to it before and is done to both after.</summary>
    [Fact]
    public void A_document_goes_on_as_what_it_was_written_to() =>
        Gen.Select(
            Gen.Int[0, 10].Array[0, 8], Gen.Int[0, 10].Array[0, 8], Gen.OneOf(Gen.Const(Json), Gen.Const(Strange), Gen.Const("{}")),
            Gen.Bool).Sample((before, after, json, isWellFormed) =>
        {
            var document = SessionDocument.Parse(Encoding.UTF8.GetBytes(json), isWellFormed)!;
            foreach (var step in before) Do(document, step);
            var written = document.ToUtf8();
            var stored = written.ToArray();
            var split = SessionDocument.Parse(written)!;
            Assert.True(document.IsOf(written));
            AssertSame(split, document);
            Assert.Equal(written, document.ToUtf8());
            foreach (var step in after)
            {
                Do(document, step);
                Do(split, step);
                AssertSame(split, document);
            }

            Assert.Equal(Encoding.UTF8.GetString(split.ToUtf8()), Encoding.UTF8.GetString(document.ToUtf8()));
            Assert.Equal(stored, written);
        });

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void A_document_that_was_changed_is_not_what_it_was_split_from(int step)
    {
        var bytes = Encoding.UTF8.GetBytes(Json);
        var document = SessionDocument.Parse(bytes)!;
        Assert.True(document.IsOf(bytes));
        Do(document, step);
        Assert.False(document.IsOf(bytes));
        bytes = document.ToUtf8();
        Assert.True(document.IsOf(bytes));
        document.Set("b", "\"tvo\""u8.ToArray());
        Assert.False(document.IsOf(bytes));
    }

    /// <summary>Of a busy session in memory each commit leaves the split document for the next request, and takes away the one before.</summary>
    [Fact]
    public async Task What_is_written_to_a_store_in_memory_is_remembered_in_place_of_what_was_there()
    {
        var clock = Engine.NewClock();
        var store = new MemorySessionStore(timeProvider: clock);
        var engine = new Engine(store, clock);
        var documents = ((ISessionOperations)engine.Sessions).Documents;
        var session = engine.Sessions.Create();
        session.Set("a", 0);
        await session.SaveAsync(Token);
        var before = await ReadAsync();
        var found = 0;
        for (var i = 1; i <= 20; i++)
        {
            var next = await engine.LoadAsync(session.Id);
            Assert.Equal(i - 1, next.Get<int>("a"));
            next.Set("a", i);
            await next.SaveAsync(Token);
            var record = await ReadAsync();
            Assert.Null(documents.Find(session.Key, before));
            if (documents.Find(session.Key, record) is { } document)
            {
                Assert.True(document.TryGet("a", out var value));
                Assert.Equal($"{i}", Encoding.UTF8.GetString(value.Span));
                found++;
            }

            // What is done after the commit stays this session's own.
            next.Set("a", 100);
            before = record;
        }

        Assert.True(found > 0);

        async Task<SessionRecord> ReadAsync() => (await store.ReadAsync(session.Key, Token))!;
    }

    /// <summary>Of two processes on a database each remembers what it read or wrote last, and is given what is stored.</summary>
    [Fact]
    public async Task What_a_database_has_is_what_counts() =>
        await Gen.Select(Gen.Bool, Gen.Int[0, 2]).Array[1, 30].SampleAsync(async steps =>
        {
            var clock = Engine.NewClock();
            var store = new Database(new MemorySessionStore(timeProvider: clock));
            Engine[] processes = [new(store, clock), new(store, clock)];
            var session = processes[0].Sessions.Create();
            session.Set("a", 0);
            await session.SaveAsync(Token);
            var (stored, shared) = (0, 0);
            foreach (var (isThere, step) in steps)
            {
                var process = processes[isThere ? 1 : 0];
                var next = await process.LoadAsync(session.Id);
                Assert.Equal(stored, next.Get<int>("a"));
                if (step > 0)
                {
                    next.Set("a", stored = (stored + step) % 3);
                    await next.SaveAsync(Token);

                    // What is done after the commit stays this session's own.
                    next.Set("a", 100);
                }

                var record = (await store.ReadAsync(session.Key, Token))!;
                shared += ((ISessionOperations)process.Sessions).Documents.Find(session.Key, record) is null ? 0 : 1;
                Assert.Equal(stored, (await process.LoadAsync(session.Id)).Get<int>("a"));
            }

            Assert.True(shared >= steps.Length - 2);
        }, iter: 200);

    /// <summary>What one request does to its document, none of the others sees.</summary>
    [Fact]
    public void What_is_done_to_one_is_done_to_none_of_the_others() =>
        Gen.Select(Gen.Int[0, 10], Gen.Int[0, 3]).Array[1, 12].Sample(steps =>
        {
            var (key, record) = (NewKey(), Record(Json));
            var (alone, shared) = (new SessionDocument[4], new SessionDocument[4]);
            for (var i = 0; i < 4; i++)
            {
                // Read until it is remembered.
                _ = _documents.Of(record, key);
                alone[i] = SessionDocument.Parse(Encoding.UTF8.GetBytes(Json))!;
            }

            Assert.NotNull(_documents.Find(key, record));
            for (var i = 0; i < 4; i++) shared[i] = _documents.Of(record, key)!.Owned();
            foreach (var (step, which) in steps)
            {
                Do(alone[which], step);
                Do(shared[which], step);
            }

            for (var i = 0; i < 4; i++)
            {
                Assert.Equal(Encoding.UTF8.GetString(alone[i].ToUtf8()), Encoding.UTF8.GetString(shared[i].ToUtf8()));
                AssertSame(alone[i], shared[i]);
            }

            Assert.Equal(Json, Encoding.UTF8.GetString(_documents.Of(record, key)!.Owned().ToUtf8()));
        });

    private static void Do(SessionDocument document, int step)
    {
        switch (step)
        {
            case 0: document.Set("a", "10"u8.ToArray()); break;
            case 1: document.Set("new", "true"u8.ToArray()); break;
            case 2: document.Remove("b"); break;
            case 3: document.ClearEntries(); break;
            case 4: document.Cookie = """{"path":"/"}"""u8.ToArray(); break;
            case 5: document.Metadata = """{"handle":"another"}"""u8.ToArray(); break;
            case 7: document.Set("new \" č", "false"u8.ToArray()); break;
            case 9: document.Set("a", "2"u8.ToArray()); break;
            case 10: document.Set("b", "\"TWO\""u8.ToArray()); break;
            case 8: document.Metadata = """{"subject":"ada","ticket":{"name":"ada"},"later":true}"""u8.ToArray(); break;
            default: document.TakeEntries(SessionDocument.Parse("""{"taken":{}}"""u8.ToArray())!); break;
        }
    }

    private static string NewKey() => SessionId.New();

    private static void AssertSame(SessionDocument expected, SessionDocument actual)
    {
        Assert.True(expected.HasSameEntries(actual));
        Assert.Equal(expected.Names(), actual.Names());
        Assert.Equal(expected.Length, actual.Length);
        Assert.Equal(Encoding.UTF8.GetString(expected.Cookie.Span), Encoding.UTF8.GetString(actual.Cookie.Span));
        Assert.Equal(Encoding.UTF8.GetString(expected.ReadMetadata()!.ToUtf8()), Encoding.UTF8.GetString(actual.ReadMetadata()!.ToUtf8()));
    }

    private static SessionRecord Record(string json) =>
        new(Encoding.UTF8.GetBytes(json), DateTimeOffset.UnixEpoch.AddYears(60), version: SessionVersion.NewRandom());

    /// <summary>Gives bytes of its own at every read, as a database does.</summary>
    private sealed class Database(MemorySessionStore inner) : BareStore(inner)
    {
        public override async ValueTask<SessionRecord?> ReadAsync(string key, CancellationToken cancellationToken) =>
            await Inner.ReadAsync(key, cancellationToken) is { } record
                ? new(record.Document.ToArray(), record.ExpiresAt, record.Labels, record.Version)
                : null;
    }

    private sealed class BoundedSession : KnownSession
    {
        public override bool IsBounded => true;
    }
}
