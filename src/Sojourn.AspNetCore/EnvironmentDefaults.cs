using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore;

/// <summary>Fills in what depends on the environment: the application's name, the cookie's name and Secure, and Development's secret.</summary>
internal sealed class EnvironmentDefaults(
    IHostEnvironment environment, IServiceProvider services,
    ILogger<SojournOptions> logger) : IPostConfigureOptions<SojournOptions>, IValidateOptions<SojournOptions>
{
    public void PostConfigure(string? name, SojournOptions options)
    {
        var isDevelopment = environment.IsDevelopment();
        if (options.SessionName is not "" && services.GetServices<SessionName>().Any(static other => other.Value is ""))
        {
            // A session side by side takes from the default one what concerns the application as a whole.
            var main = services.OptionsFor("");
            options.ApplicationName = options.ApplicationName is null or "" ? main.ApplicationName : options.ApplicationName;
            if (options.Secrets.Count == 0)
            {
                (options.Secrets, options.SecretKeys) = (main.Secrets, main.SecretKeys);
            }
        }

        if (options.ApplicationName is null or "")
        {
            options.ApplicationName = environment.ApplicationName;
        }

        options.Cookie.Name ??= (isDevelopment ? "" : Prefix(options)) + (options.SessionName is "" ? "sid" : "sid-" + options.SessionName);
        if (options.Cookie.Secure == CookieSecure.ByEnvironment)
        {
            options.Cookie.Secure = isDevelopment && !NeedsSecure(options.Cookie) ? CookieSecure.AsRequest : CookieSecure.Always;
        }

        if (isDevelopment && options.Secrets.Count == 0 && options.SecretKeys is null)
        {
            options.Secrets = [DevelopmentSecret(options.ApplicationName)];
        }
    }

    public ValidateOptionsResult Validate(string? name, SojournOptions options) =>
        options.Secrets.Count == 0 && options.SecretKeys is null
            ? ValidateOptionsResult.Fail(
                $"No secret: set SojournOptions.Secrets, or Sojourn:{(options.SessionName is "" ? "" : $"Sessions:{options.SessionName}:")}Secrets:0 in the "
                + "configuration, to at least 32 random characters (openssl rand -base64 32), the same on every instance.")
        : options.Secrets.Any(string.IsNullOrEmpty)
            ? ValidateOptionsResult.Fail("SojournOptions.Secrets holds an empty secret. Remove it.")
        : ValidateOptionsResult.Success;

    /// <summary>A session side by side may have a path of its own, with which browsers refuse __Host- (RFC 6265bis, 4.1.3).</summary>
    private static string Prefix(SojournOptions options) =>
        options.SessionName is not "" && (options.Cookie.Path is not "/" || options.Cookie.Domain is not null) ? "__Secure-" : "__Host-";

    /// <summary>What browsers accept with Secure alone must not fail in Development for want of it: they take localhost for secure.</summary>
    private static bool NeedsSecure(SessionCookieOptions cookie) =>
        cookie.SameSite == SessionSameSite.None || cookie.Partitioned || cookie.Name!.StartsWith("__", StringComparison.Ordinal);

    /// <summary>Kept under the user's data directory, so that sessions survive a restart without any set-up.</summary>
    private string DevelopmentSecret(string applicationName)
    {
        var data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create);
        var folder = Path.Combine(data is "" ? environment.ContentRootPath : data, "Sojourn");
        var path = Path.Combine(folder, string.Concat(applicationName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' ? c : '_')) + ".secret");
        logger.DevelopmentSecret(path);
        Directory.CreateDirectory(folder);
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using var writer = new StreamWriter(path, options);
            writer.Write(RandomNumberGenerator.GetString("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 43));
        }
        catch (IOException) when (File.Exists(path))
        {
            // Made by an earlier run.
        }

        return File.ReadAllText(path);
    }
}
