using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using CsCheck;
using Sojourn.Document;

namespace Sojourn.Tests.Document;

/// <summary>Texts and numbers go past the serializer: what they are read and written as is what it makes of them.</summary>
public sealed class EntryValueTests
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web) { TypeInfoResolver = new DefaultJsonTypeInfoResolver() };

    [Fact]
    public void A_number_is_written_as_the_serializer_writes_it() => Gen.Int.Sample(number =>
    {
        var utf8 = EntryValue.Write("n", number, TypeOf<int>(Web));
        return utf8.SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(number, Web)) && EntryValue.Read("n", utf8, TypeOf<int>(Web)) == number;
    });

    [Theory]
    [InlineData("0")]
    [InlineData("-0")]
    [InlineData("-2147483648")]
    [InlineData("2147483647")]
    [InlineData("2147483648")]
    [InlineData("1e2")]
    [InlineData("1.0")]
    [InlineData("12.5")]
    [InlineData("\"7\"")]
    [InlineData("null")]
    [InlineData("true")]
    public void A_number_is_read_as_the_serializer_reads_it(string json)
    {
        foreach (var options in new[] { Web, new JsonSerializerOptions { TypeInfoResolver = new DefaultJsonTypeInfoResolver() } })
        {
            AssertReadAs<int>(json, options);
            AssertReadAs<int?>(json, options);
        }
    }

    [Fact]
    public void What_the_application_says_of_numbers_counts()
    {
        var asText = new JsonSerializerOptions
        {
            TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
            NumberHandling = JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString,
        };
        Assert.Equal("\"7\""u8.ToArray(), EntryValue.Write("n", 7, TypeOf<int>(asText)));
        Assert.Equal(7, EntryValue.Read("n", "\"7\""u8, TypeOf<int>(asText)));
        var ownWay = new JsonSerializerOptions { TypeInfoResolver = new DefaultJsonTypeInfoResolver(), Converters = { new Hexadecimal() } };
        Assert.Equal("\"ff\""u8.ToArray(), EntryValue.Write("n", 255, TypeOf<int>(ownWay)));
        Assert.Equal(255, EntryValue.Read("n", "\"ff\""u8, TypeOf<int>(ownWay)));
        Assert.Equal(16, EntryValue.Read("n", "10"u8, TypeOf<int>(ownWay)));
        Assert.Equal(16, EntryValue.Read("n", "10"u8, TypeOf<int?>(ownWay)));
    }

    private static void AssertReadAs<T>(string json, JsonSerializerOptions options)
    {
        var utf8 = Encoding.UTF8.GetBytes(json);
        try
        {
            var expected = JsonSerializer.Deserialize<T>(json, options);
            Assert.Equal(expected, EntryValue.Read("n", utf8, TypeOf<T>(options)));
        }
        catch (JsonException)
        {
            Assert.Throws<SessionEntryException>(() => EntryValue.Read("n", utf8, TypeOf<T>(options)));
        }
    }

    private static JsonTypeInfo<T> TypeOf<T>(JsonSerializerOptions options) => (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T));

    private sealed class Hexadecimal : JsonConverter<int>
    {
        public override int Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            int.Parse(reader.TokenType == JsonTokenType.Number ? Encoding.UTF8.GetString(reader.ValueSpan) : reader.GetString()!, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

        public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString("x", CultureInfo.InvariantCulture));
    }
}
