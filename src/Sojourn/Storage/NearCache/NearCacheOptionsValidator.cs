using Microsoft.Extensions.Options;

namespace Sojourn.Storage.NearCache;

/// <summary>Checks the bounds when the application starts.</summary>
internal sealed class NearCacheOptionsValidator : IValidateOptions<NearCacheOptions>
{
    public ValidateOptionsResult Validate(string? name, NearCacheOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        if (options.MaxStaleness <= TimeSpan.Zero || options.MaxStaleness > TimeSpan.FromMinutes(5))
        {
            problems.AddError(
                "NearCache:MaxStaleness must be more than zero and at most 5 minutes: for so long a session that was ended elsewhere may be served. To have "
                + "none served, leave WithNearCache out.");
        }

        if (options.MaxSessions is < 1 or > 10_000_000)
        {
            problems.AddError("NearCache:MaxSessions must be 1 to 10,000,000.");
        }

        if (options.MaxBytes < 64 * 1024)
        {
            problems.AddError("NearCache:MaxBytes must be 65,536 or more: a session of a few KB has to fit.");
        }

        return problems.Build();
    }
}
