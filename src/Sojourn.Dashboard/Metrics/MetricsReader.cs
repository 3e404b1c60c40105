using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Sojourn.Diagnostics;

namespace Sojourn.Dashboard.Metrics;

/// <summary>
/// Listens to the meter <c>Sojourn</c> of this application and keeps the last day of it, bounded: a total for each instrument and value of its tag.
/// Thread-safe.
/// </summary>
internal sealed class MetricsReader : IDisposable
{
    /// <summary>Far more than the closed sets of tags hold.</summary>
    private const int MaxCells = 1_000;

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly MeterListener _listener = new();
    private readonly ITimer _timer;
    private readonly ConcurrentDictionary<(string Instrument, string Tag, int Bucket), MetricCell> _cells = new();
    private readonly ConcurrentDictionary<string, (DateTimeOffset At, double Value)> _lastMeasured = new(StringComparer.Ordinal);

    public MetricsReader(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        Since = time.GetUtcNow();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            // Other applications of the same process have meters of the same name.
            if (instrument.Meter.Name == SojournDiagnostics.MeterName && ReferenceEquals(instrument.Meter.Scope, meters))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, amount, tags, _) => Count(instrument.Name, amount, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, seconds, tags, _) => Time(instrument.Name, seconds, tags));
        _listener.Start();
        _timer = time.CreateTimer(_ => Collect(), null, TimeRange.FineSlot, TimeRange.FineSlot);
    }

    /// <summary>When it began to listen.</summary>
    public DateTimeOffset Since { get; }

    /// <summary>How much was counted in a range, with any of the given tags; with every tag where none is given.</summary>
    public long Sum(TimeRange range, string instrument, params ReadOnlySpan<string> tags) => Points(range, instrument, tags).Sum();

    /// <summary>The same, point by point, the oldest first.</summary>
    public long[] Points(TimeRange range, string instrument, params ReadOnlySpan<string> tags) =>
        [.. DurationPoints(range, instrument, tags).Select(static point => point.Count)];

    /// <summary>What was counted in a range by the value of its tag, the most first.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> ByTag(TimeRange range, string instrument) =>
    [
        .. _cells.Keys.Where(key => key.Instrument == instrument).Select(key => key.Tag).Distinct(StringComparer.Ordinal)
            .Select(tag => KeyValuePair.Create(tag, Sum(range, instrument, tag)))
            .Where(each => each.Value > 0)
            .OrderByDescending(each => each.Value).ThenBy(each => each.Key, StringComparer.Ordinal),
    ];

    /// <summary>The durations of a range, point by point, the oldest first.</summary>
    public Durations[] DurationPoints(TimeRange range, string instrument, params ReadOnlySpan<string> tags)
    {
        var now = Collect();
        var counts = Enumerable.Range(0, range.Points).Select(_ => new long[Durations.Bounds.Length + 1]).ToArray();
        lock (_gate)
        {
            foreach (var (key, cell) in _cells)
            {
                if (key.Instrument == instrument && (tags.IsEmpty || tags.Contains(key.Tag)))
                {
                    var own = cell.Points(range, now);
                    for (var i = 0; i < own.Length; i++)
                    {
                        counts[i][key.Bucket] += own[i];
                    }
                }
            }
        }

        return [.. counts.Select(each => new Durations(each))];
    }

    /// <summary>All durations of a range together.</summary>
    public Durations DurationsOf(TimeRange range, string instrument, params ReadOnlySpan<string> tags) =>
        Durations.Together(DurationPoints(range, instrument, tags));

    /// <summary>When an instrument measured last, and what.</summary>
    public (DateTimeOffset At, double Value)? LastOf(string instrument) => _lastMeasured.TryGetValue(instrument, out var last) ? last : null;

    public void Dispose()
    {
        _timer.Dispose();
        _listener.Dispose();
    }

    private static string TagOf(ReadOnlySpan<KeyValuePair<string, object?>> tags) => tags.Length > 0 ? tags[0].Value as string ?? "" : "";

    private void Count(string instrument, long amount, ReadOnlySpan<KeyValuePair<string, object?>> tags) => CellOf(instrument, TagOf(tags), 0)?.Add(amount);

    private void Time(string instrument, double seconds, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        CellOf(instrument, TagOf(tags), Durations.BucketOf(seconds))?.Add(1);
        if (tags.IsEmpty)
        {
            // Only what is measured now and then; the store's calls come too thick for it, and bear tags.
            _lastMeasured[instrument] = (_time.GetUtcNow(), seconds);
        }
    }

    private MetricCell? CellOf(string instrument, string tag, int bucket)
    {
        var key = (instrument, tag, bucket);
        return _cells.TryGetValue(key, out var cell) ? cell : _cells.Count < MaxCells ? _cells.GetOrAdd(key, static _ => new MetricCell()) : null;
    }

    private DateTimeOffset Collect()
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            foreach (var cell in _cells.Values)
            {
                cell.Collect(now);
            }

            return now;
        }
    }
}
