using System.Text;
using CsCheck;
using Sojourn.Sqlite;

namespace Sojourn.Stores.Tests.Sqlite;

public sealed class LabelsJsonTests
{
    private static readonly byte[][] Columns = [.. Enumerable.Select(
        ["", "[]", """["subject:42"]""", """["a","b\n","\ud83d\ude00"]""", """["\ud800"]""", "[1]", "{}", "null", "[[\"a\"]]", "[\"a\"", "garbage", "[\"\u00e9\"]"], text => Encoding.UTF8.GetBytes(text))];

    /// <summary>The column is text that SQLite does not check.</summary>
    [Fact]
    public void Any_column_is_labels_or_a_FormatException() => Corpus.Corpus.Mutations(Columns, [.. "[]\",\\ud80\0"u8, 0xFF, 0xC3]).Sample(bytes =>
    {
        try
        {
            Assert.DoesNotContain(LabelsJson.Parse(bytes), label => label is null);
        }
        catch (FormatException)
        {
            // Told as what it is.
        }
    }, iter: 20_000);
}
