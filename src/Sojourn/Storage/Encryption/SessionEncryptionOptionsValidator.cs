using System.Buffers.Text;
using System.Text;
using Microsoft.Extensions.Options;

namespace Sojourn.Storage.Encryption;

/// <summary>Checks the keys when the application starts. No message holds a key.</summary>
internal sealed class SessionEncryptionOptionsValidator : IValidateOptions<SessionEncryptionOptions>
{
    public const int KeyLength = 32;

    public ValidateOptionsResult Validate(string? name, SessionEncryptionOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        if (options.Keys.Count == 0 && options.KeySource is null)
        {
            problems.AddError(
                "WithEncryption has no key: set Sojourn:Encryption:Keys:0:Name and Sojourn:Encryption:Keys:0:Key in the configuration, or "
                + "SessionEncryptionOptions.Keys, to a name and 32 random bytes as base64 (openssl rand -base64 32), the same on every instance; or call "
                + "UseDataProtection.");
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < options.Keys.Count; i++)
        {
            var key = options.Keys[i];
            if (key.Name.Length is < 1 or > 64 || !key.Name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            {
                problems.AddError($"Encryption:Keys:{i}:Name must have 1 to 64 characters of A-Z a-z 0-9 - _.");
            }
            else if (!names.Add(key.Name))
            {
                problems.AddError($"Encryption:Keys:{i}:Name is '{key.Name}', as an earlier key's. Give every key a name of its own.");
            }

            if (!Base64.IsValid(Encoding.UTF8.GetBytes(key.Key), out var length) || length != KeyLength)
            {
                problems.AddError($"Encryption:Keys:{i}:Key must be 32 bytes as base64 (openssl rand -base64 32).");
            }
        }

        return problems.Build();
    }
}
