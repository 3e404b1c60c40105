using System.Text;
using CsCheck;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Sojourn.Document;
using Sojourn.Events;
using Sojourn.Storage;

namespace Sojourn.Tests;

/// <summary>Ids that renew themselves, by the engine: which ids find a session, after whatever happened to it.</summary>
public sealed class RenewalTests
{
    private static readonly TimeSpan After = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private static readonly Gen<string> Word = Gen.String[Gen.Char[' ', '\u024F'], 0, 43];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private enum Kind
    {
        Visit,
        Write,
        Wait,
        Renew,
        SignIn,
        Destroy,
    }

    /// <summary>
    /// The model: an id finds the session while it is the newest, or was renewed by itself less than the grace ago, and nobody signed in, renewed or destroyed
    /// the session since.
    /// </summary>
    [Fact]
    public Task Exactly_the_ids_that_the_model_says_find_the_session_and_each_other_one_is_noticed() =>
        Gen.Select(
            Gen.Frequency(
                (8, Gen.Const(Kind.Visit)), (4, Gen.Const(Kind.Write)), (8, Gen.Const(Kind.Wait)), (1, Gen.Const(Kind.Renew)), (1, Gen.Const(Kind.SignIn)),
                (1, Gen.Const(Kind.Destroy))),
            Gen.Int[0, 999])
            .Array[1, 60].SampleAsync(async steps =>
            {
                var (time, log) = (Engine.NewClock(), new EventLog());
                var engine = NewEngine(time, log);
                var id = "";
                var (since, writes, isAlive) = (time.GetUtcNow(), 0, false);
                Dictionary<string, DateTimeOffset?> renewed = [];
                foreach (var (kind, number) in steps)
                {
                    if (!isAlive)
                    {
                        var begun = engine.Sessions.Create(new Visit(time));
                        begun.Set("count", 0);
                        await engine.Sessions.CommitAsync(begun, Token);
                        (id, since, writes, isAlive) = (begun.KnownId, time.GetUtcNow(), 0, true);
                        renewed = renewed.ToDictionary(static each => each.Key, static each => (DateTimeOffset?)null);
                    }

                    if (kind == Kind.Wait)
                    {
                        time.Advance(TimeSpan.FromSeconds(number % 2 == 0 ? number : number % 40));
                        continue;
                    }

                    var ids = renewed.Keys.Append(id).ToArray();
                    var asked = kind == Kind.Visit ? ids[number % ids.Length] : id;
                    var heard = log.Events.Count;
                    var session = await engine.Sessions.LoadAsync(asked, engine.Sessions.KeyOf(asked), new Visit(time), isCopyEnough: true, Token);
                    Assert.Equal(asked == id || renewed[asked] > time.GetUtcNow(), session is not null);
                    if (session is null)
                    {
                        Assert.Equal(SessionEventKind.Suspicious, Assert.Single(log.Events.Skip(heard)).Kind);
                        continue;
                    }

                    Assert.Equal((id, writes), (session.KnownId, session.Get<int>("count")));
                    switch (kind)
                    {
                        case Kind.Write:
                            session.Set("count", ++writes);
                            break;
                        case Kind.Renew:
                            await session.RenewIdAsync(Token);
                            break;
                        case Kind.SignIn:
                            await session.SignInAsync("ada", cancellationToken: Token);
                            break;
                        case Kind.Destroy:
                            await session.DestroyAsync(Token);
                            break;
                    }

                    await engine.Sessions.CommitAsync(session, Token);
                    if (kind == Kind.Destroy)
                    {
                        (renewed[id], isAlive) = (null, false);
                    }
                    else if (kind is Kind.Renew or Kind.SignIn)
                    {
                        // No grace, neither for this id nor for those that led to it.
                        renewed = ids.ToDictionary(static each => each, static _ => (DateTimeOffset?)null);
                        (id, since) = (session.KnownId, time.GetUtcNow());
                    }
                    else if (time.GetUtcNow() - since >= After)
                    {
                        Assert.NotEqual(id, session.KnownId);
                        renewed[id] = time.GetUtcNow() + Grace;
                        (id, since) = (session.KnownId, time.GetUtcNow());
                    }

                    if (isAlive)
                    {
                        Assert.Equal(id, session.KnownId);
                    }
                }
            }, iter: 300);

    [Fact]
    public void A_forwarding_record_says_what_it_was_given_and_no_session_is_taken_for_one()
    {
        Gen.Select(Word, Word, Gen.Int[0, int.MaxValue]).Sample((to, nonce, seconds) =>
        {
            var written = new Forwarding(to, nonce, DateTimeOffset.UnixEpoch.AddSeconds(seconds));
            Assert.Equal(written, Forwarding.Of(written.ToRecord(DateTimeOffset.MaxValue)));
        });
        foreach (var document in (string[])[
            """{"cookie":{},"forward":{"to":"a","nonce":"b","until":"2030-01-02T03:04:05.000Z"}}""",
            """{"cookie":{},"$sojourn":{"handle":"h","ticket":{"forward":{"to":"a","nonce":"b","until":"2030-01-02T03:04:05.000Z"}}}}""",
            """{"cookie":{},"$sojourn":{"forward":{"to":"a","nonce":"b"}}}""",
            """{"cookie":{},"$sojourn":{"forward":"\"forward\""}}"""])
        {
            Assert.Null(Forwarding.Of(new SessionRecord(Encoding.UTF8.GetBytes(document), DateTimeOffset.MaxValue)));
        }
    }

    [Fact]
    public void An_id_that_follows_on_another_depends_on_all_that_it_is_made_of()
    {
        var secret = "secret"u8.ToArray();
        string[] made =
            [SessionId.After("id", "nonce", secret), SessionId.After("id2", "nonce", secret), SessionId.After("id", "nonce2", secret), SessionId.After("id", "nonce", "other"u8.ToArray())];
        Assert.Equal(made.Length, made.Distinct().Count());
        Assert.All(made, id => Assert.Equal(43, id.Length));
        Assert.Equal(made[0], SessionId.After("id", "nonce", secret));
    }

    /// <summary>Everybody is signed out while ids renew themselves: nobody stays, and nobody is counted twice.</summary>
    [Fact]
    public async Task Ending_everything_ends_what_renews_its_id_meanwhile_and_counts_it_once()
    {
        var (time, log) = (Engine.NewClock(), new EventLog());
        var engine = NewEngine(time, log);
        for (var round = 0; round < 20; round++)
        {
            var ids = new List<string>();
            for (var i = 0; i < 10; i++)
            {
                var session = engine.Sessions.Create(new Visit(time));
                session.Set("count", 0);
                await engine.Sessions.CommitAsync(session, Token);
                ids.Add(session.KnownId);
            }

            time.Advance(After);
            var renewals = ids.Select(id => Task.Run(
                async () =>
                {
                    if (await engine.Sessions.LoadAsync(id, engine.Sessions.KeyOf(id), new Visit(time), isCopyEnough: true, Token) is { } session)
                    {
                        await engine.Sessions.CommitAsync(session, Token);
                    }
                },
                Token)).ToList();
            Assert.Equal(10, await engine.Administration.EndEverythingAsync(cancellationToken: Token));
            await Task.WhenAll(renewals);
            Assert.Empty((await engine.Administration.PageAsync(cancellationToken: Token)).Sessions);
        }
    }

    [Fact]
    public void A_store_that_files_sessions_under_their_ids_is_refused_at_the_start()
    {
        var engine = new Engine(new Storage.EncryptingStoreTests.NpmStore(new MemorySessionStore()), Engine.NewClock(), Configure);
        Assert.Contains(
            "RenewIdAfter is not for a store that files sessions under their ids", Assert.Throws<OptionsValidationException>(() => engine.Sessions).Message,
            StringComparison.Ordinal);
    }

    private static Engine NewEngine(FakeTimeProvider time, EventLog log) => new(
        new MemorySessionStore(),
        time,
        static options =>
        {
            Configure(options);
            options.IdleTimeout = TimeSpan.FromDays(30);
        },
        log);

    private static void Configure(SojournOptions options) =>
        (options.Secrets, options.RenewIdAfter, options.RenewalGrace) = (["secret"], After, Grace);
}
