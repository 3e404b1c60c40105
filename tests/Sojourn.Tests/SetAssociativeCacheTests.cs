namespace Sojourn.Tests;

public sealed class SetAssociativeCacheTests
{
    private const int Sets = 4;
    private readonly SetAssociativeCache<string> _cache = new(4 * Sets);

    [Fact]
    public void Four_hashes_of_one_set_that_come_by_turns_are_all_remembered()
    {
        int[] hashes = [1, 1 + Sets, 1 + (2 * Sets), -Sets + 1];
        Assert.DoesNotContain(hashes, _cache.IsAgain);
        Assert.All(hashes, hash => Assert.True(_cache.IsAgain(hash)));
        Assert.All(hashes, hash => Assert.Null(_cache.Remember(hash, $"{hash}")));
        Assert.All(hashes, hash => Assert.Equal($"{hash}", _cache.Find(hash)));
        Assert.Null(_cache.Find(1 + (3 * Sets)));
    }

    [Fact]
    public void A_hash_is_new_again_once_four_others_came_to_its_set()
    {
        Assert.False(_cache.IsAgain(2));
        for (var other = 1; other <= 3; other++) _ = _cache.IsAgain(2 + (other * Sets));
        for (var other = 1; other <= 8; other++) _ = _cache.IsAgain(3 + (other * Sets));
        Assert.True(_cache.IsAgain(2));
        _ = _cache.IsAgain(2 + (4 * Sets));
        Assert.False(_cache.IsAgain(2));
    }

    /// <summary>Whoever loses a place is named, once: nobody stays who has none.</summary>
    [Fact]
    public void A_fifth_takes_the_place_of_one_who_is_named()
    {
        HashSet<string> there = [];
        for (var i = 0; i < 100; i++)
        {
            var hash = HashCode.Combine(i) * Sets;
            var before = _cache.Remember(hash, $"{i}");
            Assert.Equal(i >= 4, before is not null && there.Remove(before));
            there.Add($"{i}");
            Assert.Equal($"{i}", _cache.Find(hash));
        }

        Assert.Equal(4, there.Count);
    }

    [Fact]
    public void A_hash_has_one_place_and_gives_it_up()
    {
        Assert.Null(_cache.Remember(0, "a"));
        Assert.Null(_cache.Remember(Sets, "b"));
        Assert.Equal("a", _cache.Remember(0, "c"));
        _cache.Forget(0);
        Assert.Null(_cache.Find(0));
        Assert.Equal("b", _cache.Find(Sets));
        Assert.Equal("b", _cache.Remember(Sets, "d"));
        Assert.Null(_cache.Remember(0, "e"));
        _cache.Forget(2 * Sets);
        Assert.Equal(("e", "d"), (_cache.Find(0), _cache.Find(Sets)));
    }
}
