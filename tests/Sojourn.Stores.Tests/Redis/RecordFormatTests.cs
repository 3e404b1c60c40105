using System.Buffers;
using System.Text;
using CsCheck;
using Sojourn.Redis;
using Sojourn.Storage;

namespace Sojourn.Stores.Tests.Redis;

/// <summary>A Redis string is a record, or none of ours, whoever wrote it.</summary>
public sealed class RecordFormatTests
{
    private static readonly byte[][] Records = Corpus.Corpus.Read("redis-records.txt");

    [Fact]
    public void A_record_comes_back_as_it_was_written() =>
        Gen.Select(
            Gen.Byte.Array[0, 50], Gen.Long[0, 4_000_000_000_000], Gen.String[0, 20].Array[0, 4], Gen.Long).Sample((document, expires, labels, version) =>
        {
            var rented = RecordFormat.Rent(new SessionRecord(document, DateTimeOffset.FromUnixTimeMilliseconds(expires), [.. labels]), version);
            var written = rented.ToArray();

            // The next one is written over whatever is left there.
            Array.Fill(rented.Array!, (byte)0xFF);
            ArrayPool<byte>.Shared.Return(rented.Array!);
            var read = RecordFormat.Read(written);
            Assert.Equal(document, read.Document.ToArray());
            Assert.Equal(expires, read.ExpiresAt.ToUnixTimeMilliseconds());
            Assert.Equal(labels.Select(label => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(label))), read.Labels);
            Assert.Equal(version, read.Version.Number);
            Assert.Equal(written[..RecordFormat.HeadLength], RecordFormat.Head(read.Version));
        });

    [Fact]
    public void Any_bytes_are_a_record_or_a_FormatException_and_no_document_begins_in_the_header()
    {
        foreach (var bytes in Records) Check(bytes);
        Corpus.Corpus.Mutations(Records, 0, 1, 2, 0x0F, 0x7F, 0x80, 0xFF).Sample(Check, iter: 20_000);

        static void Check(byte[] bytes)
        {
            SessionRecord record;
            try
            {
                record = RecordFormat.Read(bytes);
            }
            catch (FormatException)
            {
                return;
            }

            Assert.InRange(record.Document.Length, 0, bytes.Length - 21);
            Assert.True(bytes.AsSpan().EndsWith(record.Document.Span));
        }
    }
}
