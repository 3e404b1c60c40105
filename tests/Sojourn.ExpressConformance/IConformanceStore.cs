using System.Text.Json.Nodes;
using Sojourn.Storage;

namespace Sojourn.ExpressConformance;

/// <summary>A store in an npm store's layout, and what the harness does to it beside the sessions (contract, section 4).</summary>
internal interface IConformanceStore : ISessionStore, INodeLayout
{
    /// <summary>The records that have not expired, by id, parsed; one that is no JSON as <c>{"$raw": "text"}</c>.</summary>
    Task<JsonObject> DumpAsync();

    Task ClearAsync();

    Task PutRawAsync(string id, byte[] text);
}
