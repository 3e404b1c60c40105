using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Sojourn.Administration;
using Sojourn.Document;
using Sojourn.Storage;

namespace Sojourn.Tool.Stores;

/// <summary>A record that was met, and what can be told of it.</summary>
/// <param name="Key">What it is filed under. Never shown: in the layout of an npm store it is the id.</param>
/// <param name="Record">The record.</param>
/// <param name="Info">What is in it; null when it is no session that can be read: sealed, for example.</param>
internal sealed record FoundSession(string Key, SessionRecord Record, SessionInfo? Info)
{
    /// <summary>What is shown of a key: a part of its hash, which opens nothing even where the key is an id.</summary>
    public static string Fingerprint(string key) =>
        "~" + Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes("sojourn fingerprint\0" + key)))[..12];

    /// <summary>What it is called: its handle, or, without one, its fingerprint.</summary>
    public string Name => Info?.Handle ?? Fingerprint(Key);

    /// <summary>All records of sessions, as far as they can be read or not, in no meaningful order.</summary>
    public static async IAsyncEnumerable<FoundSession> AllAsync(
        OpenStore store, int limit = 1_000, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var finder = store.Sessions.Finder;
        await foreach (var (key, record) in finder.AllAsync(limit, cancellationToken))
        {
            if (!MigratingStore.IsTombstone(record) && Forwarding.Of(record) is null)
            {
                yield return new FoundSession(key, record, finder.Describe(key, record));
            }
        }
    }

    /// <summary>The session of a handle, by the index; or of a fingerprint, by looking at all.</summary>
    public static async ValueTask<FoundSession?> FindAsync(OpenStore store, string name, CancellationToken cancellationToken)
    {
        if (name.StartsWith('~') || store.Description.Layout.IsKeyedById)
        {
            await foreach (var session in AllAsync(store, cancellationToken: cancellationToken))
            {
                if (session.Info?.Handle == name || Fingerprint(session.Key) == name)
                {
                    return session;
                }
            }

            return null;
        }

        return await store.Sessions.Finder.FindLiveAsync(SessionLabels.Handle(name), cancellationToken) is [var (key, record, info), ..]
            ? new FoundSession(key, record, info)
            : null;
    }

    public JsonObject ToJson() => new()
    {
        ["handle"] = Info?.Handle,
        ["fingerprint"] = Fingerprint(Key),
        ["subject"] = Info?.Subject,
        ["impersonator"] = Info?.Impersonator,
        ["createdAt"] = Info?.CreatedAt,
        ["signedInAt"] = Info?.SignedInAt,
        ["lastSeenAt"] = Info?.LastSeenAt,
        ["expiresAt"] = Info?.ExpiresAt ?? Record.ExpiresAt,
        ["absoluteExpiresAt"] = Info?.AbsoluteExpiresAt,
        ["device"] = Info?.Device is { } device ? new JsonObject { ["agent"] = device.Agent, ["network"] = device.Network } : null,
        ["names"] = new JsonArray([.. (Info?.Names ?? []).Select(static name => JsonValue.Create(name))]),
        ["bytes"] = Record.Document.Length,
    };
}
