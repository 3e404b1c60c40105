using System.CommandLine;

namespace Sojourn.Tool.Commands;

/// <summary>sojourn completion: a script that has a shell complete the tool's words, by asking the tool.</summary>
internal static class CompletionCommand
{
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal)
    {
        ["bash"] = """
            _sojourn() {
                local rest=${COMP_LINE#* }
                local IFS=$'\n'
                COMPREPLY=($(sojourn "[suggest:$((COMP_POINT - (${#COMP_LINE} - ${#rest})))]" "$rest" 2> /dev/null))
            }
            complete -o default -F _sojourn sojourn
            """,
        ["zsh"] = """
            _sojourn() {
                local rest=${BUFFER#* }
                local -a found
                found=("${(@f)$(sojourn "[suggest:$((CURSOR - (${#BUFFER} - ${#rest})))]" "$rest" 2> /dev/null)}")
                compadd -- $found
            }
            compdef _sojourn sojourn
            """,
        ["fish"] = """
            function __sojourn
                set -l rest (commandline -cp | string replace -r '^\S+\s' '')
                sojourn "[suggest:"(string length -- "$rest")"]" "$rest" 2> /dev/null
            end
            complete -c sojourn -f -a '(__sojourn)'
            """,
        ["pwsh"] = """
            Register-ArgumentCompleter -Native -CommandName sojourn -ScriptBlock {
                param($word, $line, $position)
                $rest = $line.ToString() -replace '^\S+\s', ''
                sojourn "[suggest:$($position - ($line.ToString().Length - $rest.Length))]" "$rest" 2> $null |
                    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
            }
            """,
    };

    public static Command Create(ToolConsole console)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh, fish or pwsh." };
        shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new Command("completion", "Prints a script that completes this tool's words in a shell: source <(sojourn completion bash)") { shell };
        command.SetAction(parsed => console.Output.WriteLine(Scripts[parsed.GetValue(shell)!].ReplaceLineEndings("\n")));
        return command;
    }
}
