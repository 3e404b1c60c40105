using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Sojourn.AspNetCore.Encryption;

namespace Sojourn.AspNetCore;

/// <summary>Has ASP.NET Core's Data Protection keep the keys that documents are sealed with.</summary>
public static class DataProtectionEncryptionExtensions
{
    /// <summary>
    /// Seals with random keys that ASP.NET Core's Data Protection protects and that are stored with what they sealed. Its key ring rotates without signing
    /// anybody out; a key revoked there opens nothing any more, a day later at the latest. <see cref="SessionEncryptionOptions.Keys"/> may be empty, and still
    /// open.
    /// </summary>
    /// <remarks>
    /// The application registers Data Protection (<c>AddDataProtection</c>) with keys that are kept, and with the same ones and the same application name on
    /// all instances: otherwise a restart ends all sessions. A sealed document is about 250 bytes longer than with a key of the application's own.
    /// </remarks>
    /// <param name="options">The options that <see cref="SojournBuilder.WithEncryption"/> sets.</param>
    /// <returns>The options.</returns>
    /// <exception cref="OptionsValidationException">At start: Data Protection is not registered.</exception>
    public static SessionEncryptionOptions UseDataProtection(this SessionEncryptionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.KeySource = static (services, given) => new DataProtectionKeys(
            services.GetService<IDataProtectionProvider>() ?? throw new OptionsValidationException(
                nameof(SessionEncryptionOptions),
                typeof(SessionEncryptionOptions),
                ["UseDataProtection needs Data Protection: call services.AddDataProtection() and keep its keys where all instances read them, such as "
                    + "PersistKeysToFileSystem."]),
            given,
            services.GetRequiredService<TimeProvider>());
        return options;
    }
}
