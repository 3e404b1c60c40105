using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Sojourn.Diagnostics;
using Sojourn.Storage;

namespace Sojourn;

/// <summary>
/// Has the stores make or check their tables before the application serves. What is missing ends the start; a database that is away does not, since
/// it may be back by the first request.
/// </summary>
internal sealed class SchemaService(IServiceProvider services, IEnumerable<SessionName> names, ILogger<SchemaService> logger) : IHostedLifecycleService
{
    private readonly ISessionStore[] _stores = [.. names.Select(name => services.GetFor<ISessionStore>(name.Value))];

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        foreach (var store in _stores)
        {
            try
            {
                if (store.As<ISchemaStore>() is { } schema)
                {
                    await schema.EnsureSchemaAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is not SessionSchemaException && !cancellationToken.IsCancellationRequested)
            {
                logger.SchemaNotChecked(e);
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
