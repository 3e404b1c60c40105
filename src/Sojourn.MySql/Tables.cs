namespace Sojourn.MySql;

/// <summary>The names of the native layout's tables, quoted.</summary>
internal sealed class Tables(string prefix)
{
    public string Sessions { get; } = $"`{prefix}sessions`";

    public string Labels { get; } = $"`{prefix}labels`";

    public string Subjects { get; } = $"`{prefix}subjects`";

    public string Leases { get; } = $"`{prefix}leases`";
}
