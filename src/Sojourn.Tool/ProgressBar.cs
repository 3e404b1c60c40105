using Spectre.Console;

namespace Sojourn.Tool;

/// <summary>Shows people how far something long has come, on the error stream; shows nothing in a pipe.</summary>
internal static class ProgressBar
{
    /// <param name="output">Where it is shown.</param>
    /// <param name="what">What is being done.</param>
    /// <param name="total">How many steps there are.</param>
    /// <param name="work">Does it; calls what it is given after each step, from any thread.</param>
    public static Task RunAsync(Output output, string what, long total, Func<Action, Task> work) =>
        !output.Progress.Profile.Capabilities.Interactive
            ? work(static () => { })
            : output.Progress.Progress().AutoClear(true).HideCompleted(false)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(context =>
                {
                    var task = context.AddTask(Markup.Escape(what), maxValue: Math.Max(1, total));
                    return work(() => task.Increment(1));
                });
}
