using System.Diagnostics.Metrics;
using Sojourn.Diagnostics;

namespace Sojourn.AspNetCore.DeviceBinding;

/// <summary>Counters of device binding. Tags come from closed sets: never an id, a key or a user.</summary>
internal sealed class DeviceBindingMetrics
{
    private readonly Counter<long> _registrations;
    private readonly Counter<long> _refreshes;
    private readonly Counter<long> _refused;

    public DeviceBindingMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(SojournDiagnostics.MeterName);
        _registrations = meter.CreateCounter<long>(
            "sojourn.device_binding.registrations", "{registration}",
            "Registrations of devices, by result: bound, foreign, no-session, bound-before, late, challenge, unavailable, or what was wrong with the proof "
            + "(missing, too-long, malformed, type, critical, algorithm, key, signature).");
        _refreshes = meter.CreateCounter<long>(
            "sojourn.device_binding.refreshes", "{refresh}",
            "Refreshes of bound cookies, by result: refreshed, challenged, foreign, no-session, other-session, unavailable, or what was wrong with the proof.");
        _refused = meter.CreateCounter<long>(
            "sojourn.device_binding.refused", "{request}",
            "Requests refused for want of a device's proof, by reason: unbound-use, link, unreachable, server-error, quota-exceeded, binding-required.");
    }

    public void Registered(string result) => _registrations.Add(1, new KeyValuePair<string, object?>("result", result));

    public void Refreshed(string result) => _refreshes.Add(1, new KeyValuePair<string, object?>("result", result));

    public void Refused(string reason) => _refused.Add(1, new KeyValuePair<string, object?>("reason", reason));
}
