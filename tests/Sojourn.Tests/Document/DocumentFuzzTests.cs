using System.Text;
using System.Text.Json;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Document;
using Sojourn.Storage;
using Sojourn.Storage.Encryption;

namespace Sojourn.Tests.Document;

/// <summary>Whatever bytes a database holds: a session, or none, and never an exception that is not ours.</summary>
public sealed class DocumentFuzzTests
{
    private const int Rounds = 20_000;

    private static readonly byte[][] Documents = Corpus.Corpus.Read("documents.txt");

    private static readonly Gen<byte[]> Bytes = Corpus.Corpus.Mutations(Documents, [.. "{}[]\",:\\u0d8$_. 19etf\0\r\n"u8, 0xC0, 0xED, 0xEF, 0xFF]);

    private static readonly TimeProvider Clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void A_document_is_what_JsonDocument_takes_for_a_JSON_object_in_UTF_8() => Try(static bytes =>
    {
        var members = Members(bytes);
        var document = SessionDocument.Parse(bytes);
        Assert.Equal(members is not null, document is not null);

        // Bytes that were wrongly believed are no document or some document, and never an exception.
        var believed = SessionDocument.Parse(bytes, isWellFormed: true);
        if (document is null)
        {
            return;
        }

        var written = document.ToUtf8();
        Assert.Equal(written, believed!.ToUtf8());
        Assert.Equal(document.Names(), believed.Names());
        Assert.Equal(document.Length, written.Length);
        Assert.Equal(Normal(members!), Members(written));
        Assert.Equal(written, SessionDocument.Parse(written)!.ToUtf8());
        Assert.Equal(members!.Select(member => member.Name).Where(name => name != "cookie" && !EntryName.IsReserved(name)).Distinct(), document.Names());
        foreach (var (name, _) in members!.Where(member => member.Name != "cookie" && !EntryName.IsReserved(member.Name)))
        {
            Assert.True(document.TryGet(name, out var value));
            Assert.Equal(members!.Last(member => member.Name == name).Value, Encoding.UTF8.GetString(value.Span));
        }
    });

    [Fact]
    public void Metadata_a_cookie_and_an_envelope_are_read_or_not_and_nothing_is_thrown() => Try(static bytes =>
    {
        if (SessionDocument.Parse(bytes) is not { } document)
        {
            return;
        }

        if (SessionMetadata.Parse(document.Metadata) is { } metadata)
        {
            var written = metadata.ToUtf8();
            var again = SessionMetadata.Parse(written)!;
            Assert.Equal((metadata.Handle, metadata.Subject), (again.Handle, again.Subject));
            Assert.Equal(written, again.ToUtf8());
        }

        var cookie = CookieJson.Write(CookieJson.Parse(document.Cookie.Span, Clock));
        Assert.Equal(cookie, CookieJson.Write(CookieJson.Parse(cookie, Clock)));
        foreach (var name in document.Names())
        {
            document.TryGet(name, out var value);
            _ = Envelope.Open(value).Value;
        }
    });

    /// <summary>The same through the front door: planted in a store, loaded, used as a request would use it, saved.</summary>
    [Fact]
    public async Task A42_V21_A_planted_document_makes_a_session_that_can_be_used_or_none()
    {
        var store = new MemorySessionStore();
        await using var services = new ServiceCollection().AddSojournCore().UseStore(_ => store).Services.Configure<SojournOptions>(
            o => o.ApplicationName = "tests").BuildServiceProvider();
        var manager = services.GetRequiredService<SessionManager>();
        var mutations = new List<byte[]>();
        Bytes.Sample(bytes =>
        {
            lock (mutations) mutations.Add(bytes);
        }, iter: 3_000);
        foreach (var bytes in Documents.Concat(mutations))
        {
            try
            {
                await UseAsync(manager, store, bytes);
            }
            catch (Exception e) when (e is not Xunit.Sdk.IAssertionException)
            {
                Assert.Fail($"{Show(bytes)}: {e}");
            }
        }
    }

    [Fact]
    public void A_sealed_document_opens_as_it_was_sealed_and_not_at_all_when_anything_is_changed()
    {
        var key = new SealingKey("first", [.. Enumerable.Range(0, 32).Select(number => (byte)number)]);
        var keys = new OneKey(key);
        Gen.Select(Gen.Byte.Array[0, 100], Gen.String[Gen.Char.AlphaNumeric, 1, 43]).Sample((document, filedUnder) =>
        {
            var stored = SealedDocument.Seal(document, filedUnder, key);
            Assert.NotNull(JsonDocument.Parse(stored).RootElement.GetProperty("$sealed").GetString());
            Assert.Equal(document, SealedDocument.Open(stored, filedUnder, keys, out _));
            Assert.Null(SealedDocument.Open(stored, filedUnder + "x", keys, out _));
        }, iter: Rounds);
        var corpus = Corpus.Corpus.Read("sealed.txt").Concat(
            Enumerable.Range(0, 6).Select(length => SealedDocument.Seal(new byte[length], "key", key))).ToArray();
        Corpus.Corpus.Mutations(corpus, [.. "{}\"$:.sealdfirt= -_+/\r\n\0Aw"u8]).Sample(bytes =>
        {
            var opened = SealedDocument.Open(bytes, "key", keys, out var reason);
            Assert.Equal(corpus[^6..].Any(known => known.AsSpan().SequenceEqual(bytes)), opened is not null);
            Assert.Contains(reason, new[] { "altered", "not-sealed", "unknown-key" });
        }, iter: Rounds);
    }

    private static void Try(Action<byte[]> check)
    {
        foreach (var bytes in Documents) Guarded(bytes);
        Bytes.Sample(Guarded, iter: Rounds);

        void Guarded(byte[] bytes)
        {
            try
            {
                check(bytes);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(Show(bytes), e);
            }
        }
    }

    private static string Show(byte[] bytes) => Encoding.Latin1.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, 300)));

    /// <summary>
    /// The members as System.Text.Json's own document model has them; <see langword="null"/> for what is no object, or not in UTF-8, or a name of which is no
    /// text.
    /// </summary>
    private static List<(string Name, string Value)>? Members(byte[] bytes)
    {
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            using var model = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = SessionDocument.MaxDepth });
            return model.RootElement.ValueKind != JsonValueKind.Object || model.RootElement.TryGetProperty("$sealed", out _)
                ? null
                : [.. model.RootElement.EnumerateObject().Select(member => (member.Name, member.Value.GetRawText()))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The order in which a document is written; of cookie and metadata the last counts.</summary>
    private static List<(string Name, string Value)> Normal(List<(string Name, string Value)> members) =>
    [
        .. members.Where(member => member.Name is "cookie").TakeLast(1),
        .. members.Where(member => member.Name is "$sojourn" or "_sojourn").TakeLast(1),
        .. members.Where(member => member.Name is not ("cookie" or "$sojourn" or "_sojourn")),
    ];

    private static async Task UseAsync(SessionManager manager, MemorySessionStore store, byte[] bytes)
    {
        var id = SessionId.New();
        await store.CreateAsync(manager.KeyOf(id), new SessionRecord(bytes, TimeProvider.System.GetUtcNow().AddHours(1)), Token);
        if (await manager.LoadAsync(id, Token) is not { } session)
        {
            return;
        }

        var before = Members(bytes)!;
        _ = (session.Subject, session.CreatedAt, session.AbsoluteExpiresAt, session.LastSeenAt, session.ExpiresAt, session.Cookie.MaxAge);
        foreach (var name in session.Names.Where(name => name.Length <= 256))
        {
            foreach (var read in (Func<object?>[])[() => session.Get<string>(name), () => session.Get<int>(name), () => session.Get<JsonElement>(name), () => session.Get<List<string>>(name)])
            {
                try
                {
                    read();
                }
                catch (SessionEntryException)
                {
                    // Named, and kept.
                }
            }
        }

        session.Set("count", 1);
        _ = session.Handle;
        try
        {
            await manager.CommitAsync(session, Token);
        }
        catch (SessionEndedException)
        {
            // Its own cookie may say that it has ended.
            return;
        }

        var stored = await store.ReadAsync(manager.KeyOf(id), Token);
        if (stored is null)
        {
            return;
        }

        var after = Members(stored.Document.ToArray())!;
        Assert.Equal("1", after.Last(member => member.Name == "count").Value);
        foreach (var (name, value) in before.Where(member => member.Name is not ("count" or "cookie" or "$sojourn" or "_sojourn") && !member.Value.Contains("$flash", StringComparison.Ordinal)))
        {
            Assert.Contains((name, value), after);
        }
    }

    private sealed class OneKey(SealingKey key) : ISealingKeys
    {
        public SealingKey Current => key;

        public byte[]? Find(string name) => name == key.Name ? key.Bytes : null;
    }
}
