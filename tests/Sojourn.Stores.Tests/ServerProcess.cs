using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Sojourn.Stores.Tests;

/// <summary>A database server of the tests' own. Only this process is ever signalled, by its id.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private const int SigContinue = 18;
    private const int SigStop = 19;
    private static readonly TimeSpan PatienceWithOutput = TimeSpan.FromSeconds(20);
    private readonly Process _process;
    private readonly List<string> _output = [];

    private ServerProcess(Process process) => _process = process;

    /// <summary>What it has written so far, for a message when it does not come up.</summary>
    public string Output
    {
        get
        {
            lock (_output) return string.Join('\n', _output);
        }
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public static ServerProcess Start(string program, params IEnumerable<string> arguments)
    {
        var process = new Process { StartInfo = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true } };
        var server = new ServerProcess(process);
        process.OutputDataReceived += (_, line) => server.Note(line.Data);
        process.ErrorDataReceived += (_, line) => server.Note(line.Data);
        process.Start();
        AppDomain.CurrentDomain.ProcessExit += server.KillAtExit;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return server;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<string> RunAsync(string program, params IEnumerable<string> arguments)
    {
        await using var server = Start(program, arguments);
        await server._process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return server._process.ExitCode == 0
            ? server.Output
            : throw new InvalidOperationException($"{program} failed with {server._process.ExitCode}:\n{server.Output}");
    }

    /// <summary>As a crash does it: SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        using var patience = new CancellationTokenSource(PatienceWithOutput);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException) when (HasExited)
        {
            // The processes that it started, and that hold its output open, have not noticed yet.
        }
    }

    /// <summary>It takes connections and answers nothing from now on: SIGSTOP.</summary>
    public void Freeze() => Freeze(_process.Id);

    /// <summary>SIGCONT.</summary>
    public void Thaw() => Thaw(_process.Id);

    /// <summary>As <see cref="Freeze()"/>, of a process that a server of the tests' own has started.</summary>
    public static void Freeze(int process) => Signal(process, SigStop);

    /// <summary>One that is gone meanwhile needs none.</summary>
    public static void Thaw(int process) => _ = Kill(process, SigContinue);

    public async ValueTask DisposeAsync()
    {
        AppDomain.CurrentDomain.ProcessExit -= KillAtExit;
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }

    /// <summary>A port that nobody listens on.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Asks again until it does not throw; a server that is starting refuses at first.</summary>
    public async Task UpAsync(Func<Task> isUp)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await isUp();
                return;
            }
            catch (Exception e) when (e is not OperationCanceledException && attempt < 300 && !HasExited)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, TestContext.Current.CancellationToken);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new InvalidOperationException("The server did not come up:\n" + Output, e);
            }
        }
    }

    /// <summary>Waits until it answers; one that has stopped by itself is started again, as a service manager does it.</summary>
    public async Task RestartedAsync(Func<Task> isUp, Func<Task> start)
    {
        try
        {
            await UpAsync(isUp);
        }
        catch (InvalidOperationException) when (HasExited)
        {
            await start();
        }
    }

    /// <summary>Tests that were interrupted leave no server behind.</summary>
    private void KillAtExit(object? sender, EventArgs e)
    {
        if (!HasExited) _process.Kill();
    }

    private static void Signal(int process, int signal)
    {
        if (Kill(process, signal) != 0) throw new Win32Exception();
    }

    private void Note(string? line)
    {
        if (line is null) return;
        lock (_output)
        {
            if (_output.Count < 500) _output.Add(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);
}
