using System.Text;
using CsCheck;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn.Tests.Document;

/// <summary>Documents that are split once for many requests.</summary>
public sealed class SplitDocumentsTests
{
    private const string Json = """{"cookie":{"originalMaxAge":null},"$sojourn":{"handle":"h"},"a":1,"b":"two","c":[3]}""";
    private static long _version = 1L << 40;

    [Fact]
    public void Bytes_that_this_process_knows_are_remembered_once_they_are_read_a_third_time()
    {
        var fresh = Record(Json);
        for (var read = 0; read < 4; read++)
        {
            // The first time they are not known yet.
            Assert.Null(SplitDocuments.Find(fresh));
            Assert.NotNull(SessionDocument.Of(fresh));
        }

        Assert.NotNull(SplitDocuments.Find(fresh));

        // A touch leaves the bytes; a write makes others, though they be the same.
        Assert.NotNull(SplitDocuments.Find(fresh.WithExpiry(fresh.ExpiresAt.AddMinutes(1))));
        Assert.Null(SplitDocuments.Find(new SessionRecord(Encoding.UTF8.GetBytes(Json), fresh.ExpiresAt, version: fresh.Version)));
    }

    [Fact]
    public void A_long_document_is_not_remembered()
    {
        var record = Record($$"""{"long":"{{new string('x', 10_000)}}"}""");
        for (var i = 0; i < 5; i++)
        {
            Assert.NotNull(SessionDocument.Of(record));
        }

        Assert.Null(SplitDocuments.Find(record));
    }

    [Fact]
    public void Metadata_of_a_later_format_is_not_remembered()
    {
        var record = Record("""{"$sojourn":{"created":"never"}}""");
        for (var i = 0; i < 5; i++)
        {
            Assert.Null(SessionDocument.Of(record)!.ReadMetadata());
        }

        Assert.Null(SplitDocuments.Find(record));
    }

    /// <summary>What one request does to its document, none of the others sees.</summary>
    [Fact]
    public void What_is_done_to_one_is_done_to_none_of_the_others() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[0, 3]).Array[1, 12].Sample(steps =>
        {
            var record = Record(Json);
            var (alone, shared) = (new SessionDocument[4], new SessionDocument[4]);
            for (var i = 0; i < 4; i++)
            {
                // Read until it is remembered.
                _ = SessionDocument.Of(record);
                alone[i] = SessionDocument.Parse(Encoding.UTF8.GetBytes(Json))!;
            }

            Assert.NotNull(SplitDocuments.Find(record));
            for (var i = 0; i < 4; i++) shared[i] = SessionDocument.Of(record)!;
            foreach (var (step, which) in steps)
            {
                Do(alone[which], step);
                Do(shared[which], step);
            }

            for (var i = 0; i < 4; i++)
            {
                Assert.Equal(Encoding.UTF8.GetString(alone[i].ToUtf8()), Encoding.UTF8.GetString(shared[i].ToUtf8()));
                Assert.Equal(alone[i].ReadMetadata(), shared[i].ReadMetadata());
            }

            Assert.Equal(Json, Encoding.UTF8.GetString(SessionDocument.Of(record)!.ToUtf8()));
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
            default: document.TakeEntries(SessionDocument.Parse("""{"taken":{}}"""u8.ToArray())!); break;
        }
    }

    private static SessionRecord Record(string json) =>
        new(Encoding.UTF8.GetBytes(json), DateTimeOffset.UnixEpoch.AddYears(60), version: new SessionVersion(Interlocked.Increment(ref _version)));
}
