using Sojourn.Tool;

var console = new ToolConsole(Console.Out, Console.Error, Console.In)
{
    IsOutputTerminal = !Console.IsOutputRedirected,
    IsErrorTerminal = !Console.IsErrorRedirected,
};
return await CommandLine.RunAsync(args, console);
