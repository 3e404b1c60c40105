using System.Globalization;
using Sojourn.Storage;

namespace Sojourn.Testing;

// What documents, labels and keys may be.
public abstract partial class SessionStoreConformance
{
    /// <summary>JSON that a careless layer between would change: escapes, whitespace, quotes, wide and odd characters.</summary>
    private static readonly string[] OddDocuments =
    [
        "{}",
        """{"quotes":"' \" ` \\ \\' '' $1 $$ ? @p :name {0} %s","sql":"'; DROP TABLE sessions; --"}""",
        """{"controls":"\u0001\u001f\b\f\n\r\t\u007f"}""",
        """{"words":"Grüße, Καλημέρα, Здравствуйте, שלום, مرحبا, नमस्ते, 你好, こんにちは, 안녕하세요"}""",
        """{"wide":"😀🏴‍☠️👩‍👩‍👧‍👦𝒳𐍈","combining":"e\u0301 é ﬁ ß İ"}""",
        "{\"odd\":\"\uFEFF\uFFFD\uFFFE\uFFFF\u2028\u2029\u0080\u00A0\u200B\u202E\U0010FFFF\"}",
        """{"":"empty name","a.b":"dots","$set":"dollar","_id":"underscore","__proto__":"proto","名":"wide"}""",
        """{"numbers":[0,-1,2147483648,9007199254740991,1.5,-0.25],"literals":[true,false,null],"nested":{"a":[{"b":[[]]}],"c":{}}}""",
    ];

    /// <summary>The same, where only a layout that keeps bytes can be held to it: parsed and written again, they are other bytes.</summary>
    private static readonly string[] OddBytes =
    [
        " {\r\n\t\"spaced\" : [ 1 , 2 ]\n} ",
        """{"escapes":"\u0041\/\ud83d\ude00"}""",
        """{"nul":"\u0000","lone":"\ud800"}""",
        """{"numbers":[1.0,1e2,-0,1E+2,0.1000,123456789012345678901234567890]}""",
        """{"b":1,"a":2,"b":3}""",
    ];

    /// <summary>Labels that differ in what a database's collation, pattern or separator may overlook.</summary>
    private static readonly string[] OddLabels =
    [
        "subject:42", "subject:42 ", " subject:42", "SUBJECT:42", "subject:4", "subject:%", "subject:_2", "subject:*", "subject:[42]", "subject:42:",
        "subject:'; DROP TABLE labels; --", "subject:\"quoted\"", "subject:back\\slash", "subject:a,b|c{d}", "subject:line\nbreak\ttab",
        "subject:Grüße", "subject:Gru\u0308ße", "subject:GRÜSSE", "subject:你好", "subject:😀", "subject:\uFEFF", "subject:",
        "subject:" + "0123456789".PadRight(192, 'x'),
    ];

    /// <summary>From the smallest document to the engine's limit, across the sizes at which databases change how they store a value.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(255)]
    [InlineData(1_024)]
    [InlineData(2_100)]
    [InlineData(8_192)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(1_048_576)]
    public async Task A_document_of_any_size_comes_back_as_it_was(int bytes)
    {
        var record = RecordOf(bytes == 2 ? "{}" : $$"""{"a":"{{new string('x', bytes - 8)}}"}""");
        var (key, stored) = await CreatedAsync(record);
        AssertHolds(record, stored);
        await Store.ReplaceAsync(key, stored, Record("small again"), Cancel);
        await Store.ReplaceAsync(key, await ReadAsync(key), record, Cancel);
        AssertHolds(record, await ReadAsync(key));
    }

    /// <summary>A document is bytes to a store: nothing in it is a quote, an operator, a placeholder or the end.</summary>
    [Fact]
    public async Task A_document_may_hold_whatever_JSON_may_hold()
    {
        foreach (var document in KeepsBytes ? [.. OddDocuments, .. OddBytes] : OddDocuments)
        {
            var record = RecordOf(document);
            var (key, stored) = await CreatedAsync(record);
            AssertHolds(record, stored);
            Assert.Equal(WriteOutcome.Done, (await Store.ReplaceAsync(key, stored, record.WithExpiry(Now + Hours(2)), Cancel)).Outcome);
            AssertSameDocument(record.Document, (await ReadAsync(key)).Document);
        }
    }

    /// <summary>A subject is whatever the application's user ids are.</summary>
    [Fact]
    public async Task A_label_may_be_any_text_and_finds_its_own_records_only()
    {
        var index = LabelIndex;
        var keys = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var label in OddLabels)
        {
            var record = Record("labelled", labels: label);
            var (key, stored) = await CreatedAsync(record);
            AssertHolds(record, stored);
            keys.Add(label, key);
        }
        foreach (var (label, key) in keys) Assert.Equal(key, Assert.Single(await index.FindAsync(label, Cancel)).Key);
        foreach (var label in OddLabels) Assert.Equal(1, await index.DeleteByLabelAsync(label, Cancel));
    }

    /// <summary>A record may have many labels, and many records one.</summary>
    [Fact]
    public async Task A_record_bears_many_labels()
    {
        var index = LabelIndex;
        var labels = Enumerable.Range(0, 40).Select(number => string.Create(CultureInfo.InvariantCulture, $"sid:{number}")).ToArray();
        var record = Record("many labels", labels: labels);
        var (key, stored) = await CreatedAsync(record);
        AssertHolds(record, stored);
        foreach (var label in labels) Assert.Equal(key, Assert.Single(await index.FindAsync(label, Cancel)).Key);
    }

    /// <summary>Keys are told apart to the last character and its case, whatever the database's collation.</summary>
    [Fact]
    public async Task Keys_of_every_length_and_alphabet_are_kept_apart()
    {
        const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        var keys = Alphabet.Select(letter => letter.ToString()).ToHashSet(StringComparer.Ordinal);
        keys.UnionWith(["aB", "Ab", "AB", "ab", "--", "__", "_-", "-_", "a_c", "abc", "a-c", "null", "0123", "123", "1e5", "00000000000000000000"]);
        foreach (var length in new[] { 32, 43, 64, 127, 128, MaxKeyLength - 1, MaxKeyLength }.Where(length => length <= MaxKeyLength))
        {
            var filler = string.Concat(Enumerable.Repeat(Alphabet, (length / Alphabet.Length) + 1))[..(length - 1)];
            keys.UnionWith([filler + "a", filler + "A", filler + "_", "-" + filler]);
        }
        foreach (var key in keys) Assert.True(await Store.CreateAsync(key, Record(key), Cancel), key);
        foreach (var key in keys) AssertSameDocument(Record(key).Document, (await ReadAsync(key)).Document);
        foreach (var key in keys) Assert.Equal(WriteOutcome.Done, (await Store.DeleteAsync(key, null, Cancel)).Outcome);
        foreach (var key in keys) await AssertGoneAsync(key);
    }

    /// <summary>Many records at once, each under its own key, from many threads: none gets in another's way.</summary>
    [Fact]
    public async Task Many_keys_at_once_are_all_served()
    {
        await Parallel.ForEachAsync(
            Enumerable.Range(0, 1_000), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Cancel }, async (number, cancel) =>
            {
                var store = Instance(number);
                var key = NewKey();
                var name = number.ToString(CultureInfo.InvariantCulture);
                Assert.True(await store.CreateAsync(key, Record(name, labels: "subject:" + name), cancel));
                var current = await store.ReadAsync(key, cancel);
                Assert.NotNull(current);
                Assert.Equal(WriteOutcome.Done, (await store.TouchAsync(key, current, Now + Hours(2), cancel)).Outcome);
                Assert.Equal(WriteOutcome.Done, (await store.ReplaceAsync(key, current, Record(name + " again"), cancel)).Outcome);
                AssertSameDocument(Record(name + " again").Document, (await ReadAsync(key)).Document);
                Assert.Equal(WriteOutcome.Done, (await store.DeleteAsync(key, null, cancel)).Outcome);
                await CatchUpAsync();
                await AssertGoneAsync(key);
            });
        if (HasIndex) Assert.Equal(0, await Index.CountAsync(Cancel));
    }
}
