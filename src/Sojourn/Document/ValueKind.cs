using System.Text.Json;

namespace Sojourn.Document;

/// <summary>Which types cannot be changed in place, and so need no watching.</summary>
internal static class ValueKind<T>
{
    public static readonly bool IsImmutable = Is(Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T));

    private static bool Is(Type type) =>
        type.IsPrimitive || type.IsEnum || type == typeof(string) || type == typeof(decimal) || type == typeof(DateTime) || type == typeof(DateTimeOffset)
        || type == typeof(DateOnly) || type == typeof(TimeOnly) || type == typeof(TimeSpan) || type == typeof(Guid) || type == typeof(Uri)
        || type == typeof(Version) || type == typeof(JsonElement) || type == typeof(Int128) || type == typeof(UInt128) || type == typeof(Half);
}
