using System.CommandLine;
using System.Text.Json.Nodes;
using Sojourn.Tool.Checking;
using Spectre.Console;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn doctor: looks at a running application from outside, by HTTP.</summary>
internal static class DoctorCommand
{
    public static Command Create(ToolConsole console)
    {
        var url = new Argument<string>("url") { Description = "A page of the application by which a session begins: one that sets something into it." };
        var method = new Option<string>("--method") { Description = "How it is asked for.", DefaultValueFactory = static _ => "GET" };
        var cookie = new Option<string?>("--cookie") { Description = "The name of the session's cookie; found by its form if it is not said." };
        var insecure = new Option<bool>("--insecure") { Description = "Take any certificate, as of a machine of one's own." };
        var command = new Command(
            "doctor",
            "Checks the session's cookie and headers of a running application against docs/security.md, whose numbers stand beside each check.")
        {
            url, method, cookie, insecure,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (!Uri.TryCreate(parsed.GetValue(url), UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            {
                throw new ToolException("The url begins with https:// or http://.");
            }

            var verb = parsed.GetValue(method)!.ToUpperInvariant();
            if (verb is "" || !verb.All(char.IsAsciiLetterUpper))
            {
                throw new ToolException("--method is GET, POST or the like.");
            }

            using var application = new Application(address, new HttpMethod(verb), parsed.GetValue(cookie), parsed.GetValue(insecure));
            var findings = await Doctor.ExamineAsync(application, cancellationToken);
            var failed = findings.Count(static finding => finding.Verdict == Verdict.Fail);
            new Output(console, parsed).Write(
                new JsonObject
                {
                    ["url"] = address.ToString(),
                    ["failed"] = failed,
                    ["checks"] = new JsonArray([.. findings.Select(static finding => finding.ToJson())]),
                },
                text => Write(text, findings, failed));
            return failed > 0 ? ExitCode.No : ExitCode.Done;
        });
        return command;
    }

    private static void Write(IAnsiConsole text, IReadOnlyList<Finding> findings, int failed)
    {
        var table = Output.Table("", "check", "docs/security.md", "what to do");
        foreach (var finding in findings)
        {
            Output.AddRow(
                table, finding.Verdict switch { Verdict.Pass => "ok", Verdict.Advice => "look", _ => "FAIL" }, finding.Check, finding.Numbers,
                finding.Verdict == Verdict.Pass ? "" : finding.Fix);
        }

        text.Write(table);
        text.WriteLine(failed == 0 ? "Nothing failed." : $"{Output.Count(failed, "check", "checks")} failed.");
    }
}
