using System.Globalization;

namespace Sojourn.Dashboard.Pages;

/// <summary>Numbers and times as a person reads them, the same in every culture.</summary>
internal static class Words
{
    public static string Number(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    public static string Percent(double share) => share.ToString(share is > 0 and < 0.1 ? "0.0 %" : "0 %", CultureInfo.InvariantCulture);

    public static string YesNo(bool value) => value ? "yes" : "no";

    public static string Bytes(long bytes) => bytes switch
    {
        < 1024 => $"{bytes} B",
        < 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0 / 1024:0.#} MiB"),
    };

    /// <summary>A duration of the store, in seconds.</summary>
    public static string Duration(double? seconds) => seconds switch
    {
        null => "–",
        < 0.0001 => "under 0.1 ms",
        < 0.01 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0.0} ms"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s"),
    };

    /// <summary>A length of time, to two units.</summary>
    public static string Span(TimeSpan span)
    {
        var (days, hours, minutes, seconds) = ((int)span.TotalDays, span.Hours, span.Minutes, span.Seconds);
        return days > 0 ? Two(days, days == 1 ? "day" : "days", hours, "h")
            : hours > 0 ? Two(hours, "h", minutes, "min")
            : minutes > 0 ? Two(minutes, "min", seconds, "s")
            : seconds > 0 ? Two(seconds, "s", 0, "")
            : span > TimeSpan.Zero ? Duration(span.TotalSeconds)
            : "0 s";

        static string Two(int first, string unit, int second, string next) => second == 0 ? $"{first} {unit}" : $"{first} {unit} {second} {next}";
    }

    /// <summary>A time in UTC, with its day.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>A time in UTC for a machine.</summary>
    public static string MachineTime(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>How far a time is from now.</summary>
    public static string Relative(DateTimeOffset time, DateTimeOffset now)
    {
        var span = (time - now).Duration();
        var words = span < TimeSpan.FromSeconds(1) ? "now"
            : span < TimeSpan.FromMinutes(1) ? $"{(int)span.TotalSeconds} s"
            : span < TimeSpan.FromHours(1) ? $"{(int)span.TotalMinutes} min"
            : Span(span);
        return words is "now" ? words : time > now ? "in " + words : words + " ago";
    }
}
