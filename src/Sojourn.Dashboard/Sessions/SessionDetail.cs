using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Sojourn.Administration;
using Sojourn.Document;

namespace Sojourn.Dashboard.Sessions;

/// <summary>One entry as the page shows it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">The size of its value, as JSON.</param>
/// <param name="Value">The value as indented JSON; <see langword="null"/> where it is not to be shown.</param>
internal sealed record EntryDetail(string Name, int Bytes, string? Value);

/// <summary>One session as its page shows it.</summary>
internal sealed record SessionDetail(SessionInfo Info, IReadOnlyList<EntryDetail> Entries)
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = SessionDocument.MaxDepth,
    };

    /// <summary>The session of a handle; <see langword="null"/> when there is none, or it has expired.</summary>
    /// <exception cref="SessionStoreException">The store failed.</exception>
    /// <exception cref="NotSupportedException">The store has no labels.</exception>
    public static async ValueTask<SessionDetail?> FindAsync(SessionManager manager, string handle, bool withValues, CancellationToken cancellationToken)
    {
        if (await manager.Finder.FindLiveAsync(SessionLabels.Handle(handle), cancellationToken).ConfigureAwait(false) is not [var (_, record, info), ..])
        {
            return null;
        }

        var document = SessionDocument.Of(record)!;
        return new SessionDetail(info, [.. document.Names().Select(name => Describe(document, name, withValues))]);
    }

    private static EntryDetail Describe(SessionDocument document, string name, bool withValue)
    {
        document.TryGet(name, out var value);
        return new EntryDetail(name, value.Length, withValue ? Indent(value.Span) : null);
    }

    private static string Indent(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return JsonSerializer.Serialize(JsonSerializer.Deserialize<JsonElement>(utf8, Indented), Indented);
        }
        catch (JsonException)
        {
            return Encoding.UTF8.GetString(utf8);
        }
    }
}
