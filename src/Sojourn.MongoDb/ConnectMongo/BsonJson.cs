using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using MongoDB.Bson;

namespace Sojourn.MongoDb.ConnectMongo;

/// <summary>
/// A session's JSON as the BSON object that connect-mongo keeps with <c>stringify: false</c>, and back: what JSON can hold comes back as it was, and the
/// cookie's expiry is a date there. Values of types that JSON has no word for read as <c>JSON.stringify</c> would write them.
/// </summary>
internal static class BsonJson
{
    /// <summary>MongoDB's limit is 100, of which the record and the session are two.</summary>
    private const int MaxDepth = 98;

    private const string IsoMilliseconds = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <exception cref="FormatException">
    /// Something in it cannot be kept as BSON: a number of more than 34 digits, a name with a null character, half a surrogate pair.
    /// </exception>
    /// <exception cref="JsonException">It is no JSON, or nested deeper than MongoDB allows.</exception>
    public static BsonDocument FromJson(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth });
        try
        {
            var session = ToBson(document.RootElement).AsBsonDocument;
            if (session.GetValue("cookie", BsonNull.Value) is BsonDocument cookie && cookie.GetValue("expires", BsonNull.Value) is BsonString expires
                && DateTimeOffset.TryParseExact(expires.Value, IsoMilliseconds, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            {
                cookie["expires"] = new BsonDateTime(time.ToUnixTimeMilliseconds());
            }

            return session;
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidCastException)
        {
            throw new FormatException("The session cannot be kept as a BSON object. Nothing was sent.", e);
        }
    }

    /// <summary>The same, where what a Node application had put there and nobody has changed since stays in its own types, such as dates.</summary>
    public static BsonDocument FromJson(ReadOnlyMemory<byte> json, BsonDocument before)
    {
        var session = FromJson(json);
        foreach (var (name, value) in FromJson(ToJson(before)).Select(element => (element.Name, element.Value)))
        {
            if (session.TryGetValue(name, out var next) && next == value)
            {
                session[name] = before[name];
            }
        }

        return session;
    }

    public static byte[] ToJson(BsonDocument session)
    {
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = MaxDepth + 2 };
        using (var writer = new Utf8JsonWriter(stream, options))
        {
            writer.WriteStartObject();
            foreach (var element in session)
            {
                writer.WritePropertyName(element.Name);
                if (element is { Name: "cookie", Value: BsonDocument cookie })
                {
                    WriteCookie(writer, cookie);
                }
                else
                {
                    Write(writer, element.Value);
                }
            }

            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    /// <summary>As the driver of Node writes a number: 32 bits where it fits, else a double; and where a double would change it, wider.</summary>
    internal static BsonValue Number(string text)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) && IsSame(text, Text(value)))
        {
            var isInt32 = value == (int)value && !(value == 0 && double.IsNegative(value));
            return isInt32 ? new BsonInt32((int)value) : new BsonDouble(value);
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var wide) ? new BsonInt64(wide)
            : Decimal128.TryParse(text, out var widest) && IsSame(text, widest.ToString()) ? new BsonDecimal128(widest)
            : throw new FormatException("The session holds a number that no type of BSON can hold without changing it. Nothing was sent.");
    }

    private static BsonValue ToBson(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var document = new BsonDocument();
                foreach (var property in element.EnumerateObject())
                {
                    if (property.Name.Contains('\0', StringComparison.Ordinal))
                    {
                        throw new FormatException("The session holds a name with a null character, which BSON cannot hold. Nothing was sent.");
                    }

                    document[property.Name] = ToBson(property.Value);
                }

                return document;
            case JsonValueKind.Array:
                return new BsonArray(element.EnumerateArray().Select(ToBson));
            case JsonValueKind.String:
                return element.GetString();
            case JsonValueKind.Number:
                return Number(element.GetRawText());
            case JsonValueKind.True or JsonValueKind.False:
                return element.GetBoolean();
            default:
                return BsonNull.Value;
        }
    }

    /// <summary>The driver of Node writes a member that is not set as null; only these two are null in their own right.</summary>
    private static void WriteCookie(Utf8JsonWriter writer, BsonDocument cookie)
    {
        writer.WriteStartObject();
        foreach (var element in cookie)
        {
            if (element.Name is "originalMaxAge" or "expires" || !(element.Value.IsBsonNull || element.Value.IsBsonUndefined))
            {
                writer.WritePropertyName(element.Name);
                Write(writer, element.Value);
            }
        }

        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, BsonValue value)
    {
        switch (value)
        {
            case BsonDocument document:
                writer.WriteStartObject();
                foreach (var element in document)
                {
                    writer.WritePropertyName(element.Name);
                    Write(writer, element.Value);
                }

                writer.WriteEndObject();
                break;
            case BsonArray array:
                writer.WriteStartArray();
                foreach (var item in array)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
            case BsonBoolean boolean:
                writer.WriteBooleanValue(boolean.Value);
                break;
            case BsonInt32 number:
                writer.WriteNumberValue(number.Value);
                break;
            case BsonInt64 number:
                writer.WriteNumberValue(number.Value);
                break;
            case BsonDouble number when double.IsFinite(number.Value):
                writer.WriteRawValue(Text(number.Value));
                break;
            case BsonDecimal128 number when !Decimal128.IsNaN(number.Value) && !Decimal128.IsInfinity(number.Value):
                writer.WriteRawValue(number.Value.ToString());
                break;
            case BsonNull or BsonUndefined or BsonDouble or BsonDecimal128:
                writer.WriteNullValue();
                break;
            case BsonDateTime date:
                writer.WriteStringValue(Text(date));
                break;
            case BsonBinaryData bytes:
                writer.WriteBase64StringValue(bytes.Bytes);
                break;
            default:
                writer.WriteStringValue(value.ToString());
                break;
        }
    }

    /// <summary>
    /// As JavaScript's toISOString writes it, whose years have six digits before 0000 and after 9999. The calendar is the same every 400 years.
    /// </summary>
    private static string Text(BsonDateTime date)
    {
        const long Cycle = 146_097L * 24 * 60 * 60 * 1000;
        var milliseconds = date.MillisecondsSinceEpoch;
        var cycles = (long)Math.Floor((double)milliseconds / Cycle);
        var time = DateTimeOffset.FromUnixTimeMilliseconds(milliseconds - (cycles * Cycle));
        var year = time.Year + (400 * cycles);
        return year.ToString(year is >= 0 and <= 9999 ? "0000" : "+000000;-000000", CultureInfo.InvariantCulture)
            + time.ToString("-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
    }

    /// <summary>As short as it can be told; whole numbers without an exponent, so that they read as integers: as far as JavaScript writes them so.</summary>
    private static string Text(double value)
    {
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        return value != Math.Truncate(value) || Math.Abs(value) >= 1e21 || (value == 0 && double.IsNegative(value)) ? shortest
            : Math.Abs(value) < 1e18 ? ((long)value).ToString(CultureInfo.InvariantCulture)
            : decimal.Parse(shortest, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
    }

    private static bool IsSame(string left, string right) => Digits(left) == Digits(right);

    /// <summary>A number in one way of writing it: its sign, its digits without zeros around them, and what power of ten the last of them stands for.</summary>
    private static (bool IsNegative, string Digits, long Exponent) Digits(string text)
    {
        var number = text.AsSpan().TrimStart('-');
        var e = number.IndexOfAny('e', 'E');
        var exponent = 0L;
        if (e >= 0)
        {
            // What does not fit into 64 bits fits into no type of BSON either.
            exponent = long.TryParse(number[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var given) ? given : int.MaxValue;
            number = number[..e];
        }

        var point = number.IndexOf('.');
        var digits = point < 0 ? number.ToString() : string.Concat(number[..point], number[(point + 1)..]);
        exponent -= point < 0 ? 0 : number.Length - point - 1;
        var significant = digits.TrimEnd('0');
        exponent += digits.Length - significant.Length;
        significant = significant.TrimStart('0');
        return (text[0] == '-', significant, significant.Length == 0 ? 0 : exponent);
    }
}
