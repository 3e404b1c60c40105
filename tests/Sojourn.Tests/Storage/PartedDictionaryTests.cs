using CsCheck;
using Sojourn.Storage;

namespace Sojourn.Tests.Storage;

public sealed class PartedDictionaryTests
{
    [Fact]
    public void It_behaves_as_a_dictionary_does_while_it_grows() =>
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 8_000]).Array[20_000].Sample(
            steps =>
            {
                var (parted, model) = (new PartedDictionary<int>(), new Dictionary<string, int>());
                for (var i = 0; i < steps.Length; i++)
                {
                    var (step, number) = steps[i];
                    var key = $"key {number}";
                    Assert.Equal(model.ContainsKey(key), parted.ContainsKey(key));
                    if (step == 0)
                    {
                        Assert.Equal(model.Remove(key), parted.Remove(key));
                    }
                    else if (!model.TryGetValue(key, out var value))
                    {
                        Assert.False(parted.TryGetValue(key, out _));
                        model.Add(key, i);
                        parted.Add(key, i);
                    }
                    else
                    {
                        Assert.Equal(value, parted.GetValueOrDefault(key));
                        model[key] = parted.GetRefOrNull(key) = i;
                    }

                    Assert.Equal(model.Count, parted.Count);
                }

                Assert.Equal(model.OrderBy(pair => pair.Key, StringComparer.Ordinal), parted.OrderBy(pair => pair.Key, StringComparer.Ordinal));
            },
            iter: 20);

    [Fact]
    public void A_key_is_added_once()
    {
        var parted = new PartedDictionary<int>();
        parted.Add("key", 1);
        Assert.Throws<ArgumentException>(() => parted.Add("key", 2));
        Assert.Equal((1, 1), (parted.Count, parted.GetValueOrDefault("key")));
    }
}
