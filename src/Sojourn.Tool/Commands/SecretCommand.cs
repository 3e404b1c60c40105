using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn secret: makes secrets, and changes those of a configuration file.</summary>
internal static class SecretCommand
{
    private const int Bytes = 32;

    public static Command Create(ToolConsole console) =>
        new("secret", "Makes a secret, or changes the secrets of a configuration file.") { New(console), Rotate(console) };

    private static Command New(ToolConsole console)
    {
        var command = new Command("new", "Prints a new secret: 256 random bits.");
        command.SetAction(parsed =>
        {
            var secret = NewSecret();
            new Output(console, parsed).Write(new JsonObject { ["secret"] = secret }, _ => console.Output.WriteLine(secret));
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Rotate(ToolConsole console)
    {
        var file = new Option<FileInfo>("--file")
        {
            Description = "A JSON configuration file, such as appsettings.Production.json. It must hold no comments, since they would be lost.",
            Required = true,
        };
        var section = new Option<string>("--section") { Description = "The section that holds Secrets.", DefaultValueFactory = static _ => "Sojourn" };
        var keep = new Option<int>("--keep") { Description = "How many secrets are kept in all; the oldest go.", DefaultValueFactory = static _ => 2 };
        var verifyOnly = new Option<bool>("--verify-only")
        {
            Description = "Put the new secret last: it verifies and does not sign yet. Until all instances know it.",
        };
        var promote = new Option<bool>("--promote") { Description = "Make no new secret: put the last one first, so that it signs." };
        var command = new Command(
            "rotate",
            "Puts a new secret first in a configuration file, so that it signs; those before it go on verifying.")
        {
            file, section, keep, verifyOnly, promote,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (path, isLast, isPromotion) = (parsed.GetValue(file)!.FullName, parsed.GetValue(verifyOnly), parsed.GetValue(promote));
            if (isLast && isPromotion)
            {
                throw new ToolException("--verify-only adds a secret, --promote adds none: say one of them.");
            }

            var kept = await SecretsFile.ChangeAsync(
                path, parsed.GetValue(section)!, secrets => Change(secrets, isLast, isPromotion, parsed.GetValue(keep)), cancellationToken);
            var said = isLast ? "A new secret verifies now and does not sign yet" : isPromotion ? "The last secret signs now" : "A new secret signs now";
            new Output(console, parsed).Write(
                new JsonObject { ["file"] = path, ["secrets"] = kept },
                text => text.WriteLine($"{said}; {Output.Count(kept, "secret verifies", "secrets verify")}. Restart the application for it to count."));
            return ExitCode.Done;
        });
        return command;
    }

    private static List<string> Change(List<string> secrets, bool isLast, bool isPromotion, int keep)
    {
        if (keep < 1)
        {
            throw new ToolException("--keep is at least 1.");
        }

        if (isPromotion)
        {
            return secrets.Count < 2 ? throw new ToolException("There is no second secret to promote.") : [secrets[^1], .. secrets[..^1].Take(keep - 1)];
        }

        // One that only verifies is no older secret, and takes nobody's place.
        return isLast ? [.. secrets, NewSecret()] : [NewSecret(), .. secrets.Take(keep - 1)];
    }

    private static string NewSecret() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(Bytes));
}
