using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Transport;

namespace Sojourn.AspNetCore.Tests;

/// <summary>Known answers: what cookie-signature 1.0.7 and encodeURIComponent make of an id and a secret.</summary>
public sealed class SessionTokenTests
{
    [Theory]
    [InlineData("apple", "keyboard cat", "s%3Aapple.D8Y%2BpkTAmeR0PobOhY4G97PRW%2Bj7bUnP%2F5m6%2FOn1MCU")]
    [InlineData("sJxBVhqFRV9C3DBHzHI25aJoh2-CyrnO", "keyboard cat", "s%3AsJxBVhqFRV9C3DBHzHI25aJoh2-CyrnO.Qf2Htlt9YlkMG0v6lH71oBOuNvjyFUKdr944L%2F8IT9A")]
    [InlineData("a.b.c", "nyan cat", "s%3Aa.b.c.35OvdrMoXRPMvbE2%2BT9kptMvTQ3XyspLrFl8qTLR0QY")]
    [InlineData("%", "keyboard cat", "s%3A%25.kzQ6x52kKVdF35Qh62AWk4ZekS28K5XYCXKa%2FOTZ01g")]
    [InlineData("sid-é-✓", "chât ✓", "s%3Asid-%C3%A9-%E2%9C%93.Ey2i%2FNGfU84SWSSOJdNgr6D0uoyd%2BPnoffXZrTSp7ug")]
    public void A_token_is_what_express_session_makes_and_reads(string id, string secret, string cookieValue)
    {
        var token = Token(secret);
        Assert.Equal(cookieValue, SessionToken.Encode(token.Write(id)));
        Assert.True(token.TryRead(cookieValue, isEncoded: true, out var read, out var isFirst));
        Assert.Equal(id, read);
        Assert.True(isFirst);
    }

    [Fact]
    public void A_token_of_an_older_secret_verifies_and_is_known_as_such()
    {
        Assert.True(Token("new", "old").TryRead(Token("old").Write("id"), isEncoded: false, out var id, out var isFirst));
        Assert.Equal("id", id);
        Assert.False(isFirst);
        Assert.False(Token("new").TryRead(Token("old").Write("id"), isEncoded: false, out _, out _));
    }

    [Fact]
    public void The_check_allocates_nothing()
    {
        // Two, as with sessions side by side.
        SessionToken[] tokens = [Token("keyboard cat"), Token("nyan cat")];
        string[] values = [.. tokens.Select(token => SessionToken.Encode(token.Write(SessionId.New())))];
        Span<byte> buffer = stackalloc byte[512];
        for (var i = 0; i < 100; i++)
        {
            tokens[i % 2].TryVerify(values[i % 2], isEncoded: true, buffer, out _, out _);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
        {
            Assert.True(tokens[i % 2].TryVerify(values[i % 2], isEncoded: true, buffer, out _, out _));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void No_single_changed_character_verifies()
    {
        var token = Token("keyboard cat");
        var value = SessionToken.Encode(token.Write(SessionId.New()));
        for (var i = 0; i < value.Length; i++)
        {
            foreach (var other in "aZ0-_.%:+/\"= \0é")
            {
                // Hexadecimal digits of the percent-encoding mean the same in either case.
                if (other != value[i] && char.ToUpperInvariant(other) != value[i])
                {
                    var changed = value[..i] + other + value[(i + 1)..];
                    Assert.False(token.TryRead(changed, isEncoded: true, out _, out _), changed);
                }
            }
        }
    }

    private static SessionToken Token(params string[] secrets) => new(Options.Create(new SojournOptions { Secrets = secrets }));
}
