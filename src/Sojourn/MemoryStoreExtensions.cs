using Microsoft.Extensions.Options;
using Sojourn;
using Sojourn.Storage;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Chooses the memory of the process as the store.</summary>
public static class MemoryStoreExtensions
{
    /// <summary>Keeps sessions in the memory of this process; they end with it. One instance serves all requests.</summary>
    /// <param name="builder">What <c>AddSojourn</c> returned.</param>
    /// <param name="configure">Sets the limit; the defaults when <see langword="null"/>.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="OptionsValidationException">At start: <see cref="MemorySessionStoreOptions.MaxSessions"/> is less than 1.</exception>
    public static SojournBuilder UseMemory(this SojournBuilder builder, Action<MemorySessionStoreOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = builder.Services.AddOptions<MemorySessionStoreOptions>(builder.Name)
            .Validate(o => o.MaxSessions >= 1, $"{nameof(MemorySessionStoreOptions)}.{nameof(MemorySessionStoreOptions.MaxSessions)} must be 1 or more.")
            .ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        return builder.UseStore(services => new MemorySessionStore(
            services.GetRequiredService<IOptionsMonitor<MemorySessionStoreOptions>>().Get(builder.Name),
            services.GetService<TimeProvider>()));
    }
}
