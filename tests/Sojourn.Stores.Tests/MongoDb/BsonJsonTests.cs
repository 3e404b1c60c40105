using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using Sojourn.MongoDb.ConnectMongo;

namespace Sojourn.Stores.Tests.MongoDb;

/// <summary>A session as connect-mongo's BSON object: whatever JSON holds comes back, in the types that the driver of Node writes.</summary>
public sealed class BsonJsonTests
{
    private static readonly Gen<string> Text = Gen.String[Gen.Char.AlphaNumeric, 0, 12];

    private static readonly Gen<JsonNode?> Value = Gen.Recursive<JsonNode?>((depth, inner) =>
    {
        var leaf = Gen.OneOf(
            Text.Select(text => (JsonNode?)JsonValue.Create(text)),
            Gen.String[Gen.Char[' ', '\uD7FF'], 0, 8].Select(text => (JsonNode?)JsonValue.Create(text)),
            Gen.Int.Select(number => (JsonNode?)JsonValue.Create(number)),
            Gen.Long.Select(number => (JsonNode?)JsonValue.Create(number)),
            Gen.Double.Where(double.IsFinite).Select(number => (JsonNode?)JsonValue.Create(number)),
            Gen.Decimal.Select(number => (JsonNode?)JsonValue.Create(number)),
            Gen.Bool.Select(boolean => (JsonNode?)JsonValue.Create(boolean)),
            Gen.Const((JsonNode?)null));
        return depth > 2 ? leaf : Gen.Frequency(
            (3, leaf),
            (1, inner.Array[0, 4].Select(items => (JsonNode?)new JsonArray([.. items.Select(item => item?.DeepClone())]))),
            (1, Gen.Select(Text, inner).Array[0, 4].Select(members => (JsonNode?)ObjectOf(members))));
    });

    [Theory]
    [InlineData(8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z")]
    [InlineData(253_402_300_800_000, "+010000-01-01T00:00:00.000Z")]
    [InlineData(1_893_553_445_678, "2030-01-02T03:04:05.678Z")]
    [InlineData(-62_135_596_800_001, "0000-12-31T23:59:59.999Z")]
    [InlineData(-62_198_755_200_000, "-000001-01-01T00:00:00.000Z")]
    public void A_date_reads_as_JavaScript_writes_it(long milliseconds, string text)
    {
        var json = BsonJson.ToJson(new BsonDocument { { "seen", new BsonDateTime(milliseconds) } });
        Assert.Equal($$"""{"seen":"{{text}}"}""", Encoding.UTF8.GetString(json));
    }

    [Fact]
    public void Whatever_JSON_holds_comes_back_over_the_wire() => Gen.Select(Text, Value).Array[0, 6].Sample(
        members =>
        {
            var json = Encoding.UTF8.GetBytes(ObjectOf(members).ToJsonString());
            var overTheWire = BsonSerializer.Deserialize<BsonDocument>(BsonJson.FromJson(json).ToBson());
            var back = BsonJson.ToJson(overTheWire);
            using var before = JsonDocument.Parse(json);
            using var after = JsonDocument.Parse(back);
            return JsonElement.DeepEquals(before.RootElement, after.RootElement);
        },
        iter: 5_000);

    [Fact]
    public void A_long_reads_as_a_long_again() =>
        Gen.OneOf(
            Gen.Long, Gen.Double[-9.2e18, 9.2e18].Select(number => (long)(decimal)number), Gen.Const(-3563367287377531400),
            Gen.Const(1_000_000_000_000_000_000), Gen.Const(long.MinValue), Gen.Const(long.MaxValue)).Sample(
            number =>
                JsonDocument.Parse(
                    BsonJson.ToJson(
                        new BsonDocument(
                            "n", BsonJson.Number(number.ToString(CultureInfo.InvariantCulture))))).RootElement.GetProperty("n").GetInt64() == number,
            iter: 5_000);

    [Theory]
    [InlineData("1", BsonType.Int32)]
    [InlineData("1.0", BsonType.Int32)]
    [InlineData("1e2", BsonType.Int32)]
    [InlineData("-2147483648", BsonType.Int32)]
    [InlineData("2147483648", BsonType.Double)]
    [InlineData("5000000000", BsonType.Double)]
    [InlineData("0.5", BsonType.Double)]
    [InlineData("-0", BsonType.Double)]
    [InlineData("1e300", BsonType.Double)]
    [InlineData("3563367287377531400", BsonType.Double)]
    [InlineData("100000000000000000000", BsonType.Double)]
    [InlineData("9007199254740993", BsonType.Int64)]
    [InlineData("9223372036854775807", BsonType.Int64)]
    [InlineData("0.1234567890123456789012345678", BsonType.Decimal128)]
    [InlineData("1e400", BsonType.Decimal128)]
    public void A_number_has_the_type_that_Node_gives_it_and_a_wider_one_where_that_would_change_it(string text, BsonType type) =>
        Assert.Equal(type, BsonJson.Number(text).BsonType);

    [Theory]
    [InlineData("""{"n":1e9999}""")]
    [InlineData("""{"n":1234567890123456789012345678901234567890}""")]
    [InlineData("""{"a\u0000b":1}""")]
    [InlineData("""{"half":"\ud800"}""")]
    [InlineData("[]")]
    public void What_BSON_cannot_hold_is_refused(string json) => Assert.Throws<FormatException>(() => BsonJson.FromJson(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void The_cookies_expiry_is_a_date_and_its_members_that_are_null_were_never_set()
    {
        var stored = BsonDocument.Parse("""{"cookie":{"originalMaxAge":null,"partitioned":null,"expires":{"$date":{"$numberLong":"1893553445678"}},"secure":null,"path":"/"},"nothing":null}""");
        var json = """{"cookie":{"originalMaxAge":null,"expires":"2030-01-02T03:04:05.678Z","path":"/"},"nothing":null}""";
        Assert.Equal(json, Encoding.UTF8.GetString(BsonJson.ToJson(stored)));
        Assert.Equal(new BsonDateTime(1893553445678), BsonJson.FromJson(Encoding.UTF8.GetBytes(json))["cookie"]["expires"]);
    }

    [Fact]
    public void Types_that_JSON_has_no_word_for_read_as_JavaScript_would_write_them_and_stay_what_they_are_unless_changed()
    {
        var before = BsonDocument.Parse("""{"seen":{"$date":{"$numberLong":"0"}},"id":{"$oid":"507f1f77bcf86cd799439011"},"bytes":{"$binary":{"base64":"AQI=","subType":"00"}},"nan":{"$numberDouble":"NaN"},"views":1}""");
        var json = Encoding.UTF8.GetString(BsonJson.ToJson(before));
        Assert.Equal("""{"seen":"1970-01-01T00:00:00.000Z","id":"507f1f77bcf86cd799439011","bytes":"AQI=","nan":null,"views":1}""", json);
        var after = BsonJson.FromJson(
            Encoding.UTF8.GetBytes(json.Replace("\"views\":1", "\"views\":2", StringComparison.Ordinal).Replace("AQI=", "AQM=", StringComparison.Ordinal)),
            before);
        Assert.Equal([BsonType.DateTime, BsonType.ObjectId, BsonType.String, BsonType.Double, BsonType.Int32], after.Values.Select(value => value.BsonType));
        Assert.Equal(2, after["views"]);
    }

    private static JsonObject ObjectOf(IEnumerable<(string Name, JsonNode? Value)> members)
    {
        var result = new JsonObject();
        foreach (var (name, value) in members) result[name] = value?.DeepClone();
        return result;
    }
}
