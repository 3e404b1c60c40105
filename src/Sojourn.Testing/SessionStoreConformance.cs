using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Sojourn.Storage;

namespace Sojourn.Testing;

/// <summary>
/// What every store is held to: each fact is a sentence of the contract in <see cref="ISessionStore"/>, <see cref="IExpiringStore"/>,
/// <see cref="ISessionIndex"/>, <see cref="ISubjectRegistry"/>, <see cref="ISessionLease"/> and <see cref="ISessionNotifications"/>. A store's test class
/// inherits this one, says how a store is made, and declares, with its reason, where its layout cannot do what the others do.
/// </summary>
/// <remarks>
/// <para>xunit makes one instance, with a store of its own, for every fact. Where <see cref="CreateSecondAsync"/> gives a second instance on
/// the same data, the races run across both.</para>
/// <para>The races run 200 rounds each; the environment variable <c>SOJOURN_RACE_ROUNDS</c> sets another number.</para>
/// <example>
/// <code>
/// public sealed class MyStoreTests : SessionStoreConformance
/// {
///     private readonly string _database = MyDatabase.MakeEmpty();
///     protected override async ValueTask&lt;ISessionStore&gt; CreateAsync() => await MyStore.OpenAsync(_database);
///     protected override async ValueTask&lt;ISessionStore?&gt; CreateSecondAsync() => await MyStore.OpenAsync(_database);
///     protected override int MaxKeyLength => 128;   // the npm package's column
/// }
/// </code>
/// </example>
/// </remarks>
public abstract partial class SessionStoreConformance : IAsyncLifetime
{
    private readonly List<ISessionStore> _stores = [];

    /// <summary>The store under test.</summary>
    protected ISessionStore Store => _stores[0];

    /// <summary>How many rounds a race runs, 1 or more: <c>SOJOURN_RACE_ROUNDS</c>, 200 by default.</summary>
    protected virtual int RaceRounds
        => int.TryParse(Environment.GetEnvironmentVariable("SOJOURN_RACE_ROUNDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var rounds)
            && rounds > 0
            ? rounds
            : 200;

    /// <summary>How many characters of <c>A-Z a-z 0-9 _ -</c> a key may have; 200 by default. Keys of the engine's have 43.</summary>
    protected virtual int MaxKeyLength => 200;

    /// <summary>By how much an expiry may differ after it was stored; a millisecond by default.</summary>
    protected virtual TimeSpan ExpiryResolution => TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// Whether a document comes back byte for byte; <see langword="false"/> where the layout stores it parsed, and it comes back as equal JSON.
    /// </summary>
    protected virtual bool KeepsBytes => true;

    /// <summary>Whether a version is the stored content, so that a record that is made again just as it was has its old version again.</summary>
    protected virtual bool VersionsAreContent => false;

    /// <summary>
    /// Whether the database drops expired records by itself: the store is no <see cref="IExpiringStore"/> then, and a record past its expiry
    /// may be gone at any time.
    /// </summary>
    protected virtual bool CleansUpByItself => false;

    /// <summary>Whether the store is an <see cref="ISessionIndex"/>.</summary>
    protected virtual bool HasIndex => true;

    /// <summary>Whether the layout has a place for labels: they come back with a record, and an index finds records by them.</summary>
    protected virtual bool HasLabels => true;

    /// <summary>Whether the store is an <see cref="ISubjectRegistry"/>.</summary>
    protected virtual bool HasSubjects => false;

    /// <summary>Whether the store is an <see cref="ISessionLease"/>.</summary>
    protected virtual bool HasLeases => false;

    /// <summary>Whether the store is an <see cref="ISessionNotifications"/>; the stores under test are to be made with notifications on.</summary>
    protected virtual bool HasNotifications => false;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    private ISessionIndex Index
    {
        get
        {
            Assert.SkipUnless(HasIndex, "The store is declared to have no index.");
            return Capability<ISessionIndex>(Store);
        }
    }

    private ISessionIndex LabelIndex
    {
        get
        {
            Assert.SkipUnless(HasLabels, "The layout is declared to have no place for labels.");
            return Index;
        }
    }

    private ISubjectRegistry Subjects
    {
        get
        {
            Assert.SkipUnless(HasSubjects, "The layout is declared to have no place for subjects.");
            return Capability<ISubjectRegistry>(Store);
        }
    }

    private ISessionLease Leases
    {
        get
        {
            Assert.SkipUnless(HasLeases, "The store is declared to have no leases.");
            return Capability<ISessionLease>(Store);
        }
    }

    /// <summary>The leases as another process has them, where there can be one.</summary>
    private ISessionLease OtherLeases => Capability<ISessionLease>(_stores[^1]);

    private IExpiringStore Expiring
    {
        get
        {
            Assert.SkipWhen(CleansUpByItself, "The database is declared to drop expired records by itself.");
            return Capability<IExpiringStore>(Store);
        }
    }

    /// <summary>Makes the store under test, with no record in it. It is disposed of after the fact if it is disposable.</summary>
    /// <returns>The store.</returns>
    protected abstract ValueTask<ISessionStore> CreateAsync();

    /// <summary>
    /// Makes a second instance on the data of the first, as another process would have it; <see langword="null"/>, the default, where there
    /// can be none. It is disposed of after the fact if it is disposable. A store that is given a clock is given one here that is a minute ahead.
    /// </summary>
    /// <returns>The second instance.</returns>
    protected virtual ValueTask<ISessionStore?> CreateSecondAsync() => new((ISessionStore?)null);

    /// <summary>
    /// Waits until every instance reads what any of them wrote. Nothing by default: a store is read as it is. One that may give what another instance has
    /// changed since, as a near cache does for a bounded time, lets that time pass here; overriding this declares that it does.
    /// </summary>
    /// <returns>When nothing older is read any more.</returns>
    protected virtual ValueTask CatchUpAsync() => default;

    /// <summary>Adds what the layout demands of every document to one that the suite made; by default nothing.</summary>
    /// <param name="document">One UTF-8 JSON object.</param>
    /// <returns>The document that is stored.</returns>
    protected virtual byte[] Adapt(byte[] document) => document;

    /// <summary>Makes the stores.</summary>
    /// <returns>When it is done.</returns>
    public virtual async ValueTask InitializeAsync()
    {
        _stores.Add(await CreateAsync());
        if (await CreateSecondAsync() is { } second) _stores.Add(second);
    }

    /// <summary>Disposes of the stores.</summary>
    /// <returns>When it is done.</returns>
    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var store in Enumerable.Reverse(_stores))
        {
            if (store is IAsyncDisposable asyncDisposable) await asyncDisposable.DisposeAsync();
            else (store as IDisposable)?.Dispose();
        }
    }

    /// <summary>A capability that is there but not declared would go untested.</summary>
    [Fact]
    public void It_is_what_it_declares_to_be()
    {
        Assert.Equal(HasIndex, Store.As<ISessionIndex>() is not null);
        Assert.Equal(!CleansUpByItself, Store.As<IExpiringStore>() is not null);
        Assert.Equal(HasSubjects, Store.As<ISubjectRegistry>() is not null);
        Assert.Equal(HasLeases, Store.As<ISessionLease>() is not null);
        Assert.Equal(HasNotifications, Store.As<ISessionNotifications>() is not null);
    }

    private static T Capability<T>(ISessionStore store)
        where T : class
    {
        var capability = store.As<T>();
        Assert.NotNull(capability);
        return capability;
    }

    private static string NewKey() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    private static TimeSpan Hours(int hours) => TimeSpan.FromHours(hours);

    /// <summary>A record whose document holds one text; it expires in an hour, or when told.</summary>
    private SessionRecord Record(string text, TimeSpan? expiresIn = null, params string[] labels)
        => RecordOf($$"""{"text":"{{JsonEncodedText.Encode(text)}}"}""", expiresIn, labels);

    private SessionRecord RecordOf([StringSyntax(StringSyntaxAttribute.Json)] string document, TimeSpan? expiresIn = null, params string[] labels)
        => new(Adapt(Encoding.UTF8.GetBytes(document)), Now + (expiresIn ?? Hours(1)), [.. labels]);

    /// <summary>Creates a record under a new key and reads it.</summary>
    private async Task<(string Key, SessionRecord Stored)> CreatedAsync(SessionRecord record)
    {
        var key = NewKey();
        Assert.True(await Store.CreateAsync(key, record, Cancel));
        return (key, await ReadAsync(key));
    }

    /// <summary>Reads a record that has to be there.</summary>
    private async Task<SessionRecord> ReadAsync(string key)
    {
        var record = await Store.ReadAsync(key, Cancel);
        Assert.NotNull(record);
        return record;
    }

    private async Task AssertGoneAsync(string key) => Assert.Null(await Store.ReadAsync(key, Cancel));

    /// <summary>What is stored is what was written.</summary>
    private void AssertHolds(SessionRecord written, SessionRecord? stored)
    {
        Assert.NotNull(stored);
        AssertSameDocument(written.Document, stored.Document);
        AssertSameExpiry(written.ExpiresAt, stored.ExpiresAt);
        if (HasLabels) AssertSameLabels(written.Labels, stored.Labels);
    }

    /// <summary>Nothing was changed: what is stored is what was read, down to the version.</summary>
    private async Task AssertUnchangedAsync(string key, SessionRecord read)
    {
        var stored = await ReadAsync(key);
        AssertHolds(read, stored);
        Assert.Equal(read.Version, stored.Version);
    }

    private void AssertSameDocument(ReadOnlyMemory<byte> written, ReadOnlyMemory<byte> stored)
    {
        if (KeepsBytes) Assert.True(written.Span.SequenceEqual(stored.Span), $"Written: {Excerpt(written)}; stored: {Excerpt(stored)}");
        else Assert.True(EqualAsJson(written, stored), $"Written: {Excerpt(written)}; stored: {Excerpt(stored)}");
    }

    private void AssertSameExpiry(DateTimeOffset written, DateTimeOffset stored)
        => Assert.True((written - stored).Duration() <= ExpiryResolution, $"Written: {written:O}; stored: {stored:O}");

    private static void AssertSameLabels(ImmutableArray<string> written, ImmutableArray<string> stored)
        => Assert.Equal(written.Order(StringComparer.Ordinal), stored.Order(StringComparer.Ordinal));

    /// <summary>The outcome, and that a record that is handed back is the one that is stored.</summary>
    private async Task AssertAnswerAsync(WriteOutcome expected, WriteResult answer, string key)
    {
        Assert.Equal(expected, answer.Outcome);
        if (expected == WriteOutcome.Gone) Assert.Null(answer.Record);
        else if (answer.Record is { } handedBack) await AssertUnchangedAsync(key, handedBack);
    }

    private static bool EqualAsJson(ReadOnlyMemory<byte> left, ReadOnlyMemory<byte> right)
    {
        using var one = JsonDocument.Parse(left);
        using var other = JsonDocument.Parse(right);
        return JsonElement.DeepEquals(one.RootElement, other.RootElement);
    }

    private static string Excerpt(ReadOnlyMemory<byte> document) => Encoding.UTF8.GetString(document.Span[..Math.Min(document.Length, 200)]);
}
