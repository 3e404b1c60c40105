using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Sojourn.Storage;

namespace Sojourn.Testing;

// The entries of subjects: epochs and reserved places stand or fall with them.
public abstract partial class SessionStoreConformance
{
    /// <summary>Nothing is known of a subject before its first sign-in.</summary>
    [Fact]
    public async Task A_subject_has_no_entry_until_one_is_written()
    {
        var subjects = Subjects;
        Assert.Null(await subjects.ReadSubjectAsync("1", Cancel));
        Assert.True(await ReplaceAsync(subjects, "1", null, "first"));
        Assert.Equal("first", await EntryAsync(subjects, "1"));
        Assert.Null(await subjects.ReadSubjectAsync("2", Cancel));
    }

    /// <summary>The condition of every write.</summary>
    [Fact]
    public async Task A_subjects_entry_is_replaced_only_if_it_is_what_was_read()
    {
        var subjects = Subjects;
        Assert.False(await ReplaceAsync(subjects, "1", "none", "never"));
        Assert.True(await ReplaceAsync(subjects, "1", null, "first"));
        Assert.False(await ReplaceAsync(subjects, "1", null, "never"));
        Assert.False(await ReplaceAsync(subjects, "1", "another", "never"));
        Assert.False(await ReplaceAsync(subjects, "1", "FIRST", "never"));
        Assert.Equal("first", await EntryAsync(subjects, "1"));
        Assert.True(await ReplaceAsync(subjects, "1", "first", "second"));
        Assert.Equal("second", await EntryAsync(subjects, "1"));
    }

    /// <summary>Writing what is there already is a success, as databases that count changed rows are apt to deny.</summary>
    [Fact]
    public async Task A_subjects_entry_may_be_replaced_by_itself()
    {
        var subjects = Subjects;
        Assert.True(await ReplaceAsync(subjects, "1", null, "same"));
        Assert.True(await ReplaceAsync(subjects, "1", "same", "same"));
    }

    /// <summary>Names of users are not the store's business.</summary>
    [Fact]
    public async Task A_subject_is_any_text()
    {
        var subjects = Subjects;
        string[] names = ["a", "A", "a ", "ä", "a\u0308", "漢字 🐎", "'; DROP TABLE subjects; --", "{a}:b*?", new string('x', 1_000), new string('漢', 1_000)];
        foreach (var name in names) Assert.True(await ReplaceAsync(subjects, name, null, name));
        foreach (var name in names) Assert.Equal(name, await EntryAsync(subjects, name));
    }

    /// <summary>An entry of bytes comes back as it was given.</summary>
    [Fact]
    public async Task A_subjects_entry_is_kept_byte_for_byte()
    {
        var subjects = Subjects;
        var entry = RandomNumberGenerator.GetBytes(64 * 1024);
        Assert.True(await subjects.ReplaceSubjectAsync("1", null, entry, Now + Hours(1), Cancel));
        Assert.Equal(entry, await subjects.ReadSubjectAsync("1", Cancel));
        Assert.True(await subjects.ReplaceSubjectAsync("1", entry, [], Now + Hours(1), Cancel));
        Assert.Empty((await subjects.ReadSubjectAsync("1", Cancel))!);
    }

    /// <summary>Entries are no sessions.</summary>
    [Fact]
    public async Task A_subjects_entry_is_neither_counted_nor_walked_through()
    {
        var subjects = Subjects;
        Assert.True(await ReplaceAsync(subjects, "1", null, "entry"));
        var (key, _) = await CreatedAsync(Record("session", labels: "subject:1"));
        if (Store.As<ISessionIndex>() is not { } index) return;
        Assert.Equal(1, await index.CountAsync(Cancel));
        AssertKeys([key], await index.PageAsync(null, 10, Cancel));
        await index.DeleteByLabelAsync("subject:1", Cancel);
        Assert.Equal("entry", await EntryAsync(subjects, "1"));
    }

    /// <summary>Cleaning up leaves what is needed.</summary>
    [Fact]
    public async Task Pruning_removes_subjects_entries_past_their_time_and_no_others()
    {
        var (subjects, expiring) = (Subjects, Expiring);
        Assert.True(await subjects.ReplaceSubjectAsync("over", null, "entry"u8.ToArray(), Now - Hours(1), Cancel));
        Assert.True(await subjects.ReplaceSubjectAsync("needed", null, "entry"u8.ToArray(), Now - Hours(1), Cancel));
        Assert.True(await subjects.ReplaceSubjectAsync("needed", "entry"u8.ToArray(), "again"u8.ToArray(), Now + Hours(1), Cancel));
        Assert.Equal(0, await expiring.PruneAsync(Now, Cancel));
        Assert.Null(await subjects.ReadSubjectAsync("over", Cancel));
        Assert.Equal("again", await EntryAsync(subjects, "needed"));
    }

    /// <summary>A limit on sessions holds under parallel sign-ins, and an epoch misses none.</summary>
    [Fact]
    public async Task Parallel_changes_of_a_subjects_entry_lose_nothing()
    {
        _ = Subjects;
        var increments = 0;
        await RaceThroughRoundsAsync(Enumerable.Repeat<Func<ISessionStore, int, Task>>(
            async (store, _) =>
            {
                var subjects = Capability<ISubjectRegistry>(store);
                while (true)
                {
                    var current = await subjects.ReadSubjectAsync("1", Cancel);
                    var count = current is { } entry ? int.Parse(Encoding.UTF8.GetString(entry), CultureInfo.InvariantCulture) : 0;
                    var next = Encoding.UTF8.GetBytes((count + 1).ToString(CultureInfo.InvariantCulture));
                    if (await subjects.ReplaceSubjectAsync("1", current, next, Now + Hours(1), Cancel)) break;
                }
                Interlocked.Increment(ref increments);
            },
            3));
        Assert.Equal(increments.ToString(CultureInfo.InvariantCulture), await EntryAsync(Subjects, "1"));
    }

    private static ValueTask<bool> ReplaceAsync(ISubjectRegistry subjects, string subject, string? current, string next)
        => subjects.ReplaceSubjectAsync(
            subject, current is null ? null : Encoding.UTF8.GetBytes(current), Encoding.UTF8.GetBytes(next), Now + Hours(1), Cancel);

    private static async Task<string?> EntryAsync(ISubjectRegistry subjects, string subject)
        => await subjects.ReadSubjectAsync(subject, Cancel) is { } entry ? Encoding.UTF8.GetString(entry) : null;
}
