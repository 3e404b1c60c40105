using System.Runtime.InteropServices;
using Sojourn.Storage;

namespace Sojourn.Ending;

/// <summary>Where a session that is alive was found.</summary>
/// <param name="Key">What it is filed under now; another key than before when its id was renewed.</param>
/// <param name="Record">What the store has of it.</param>
/// <param name="Handle">Its name, by which it is found under another key; <see langword="null"/> when it has none.</param>
/// <param name="ExpiresAt">When it ends if nobody uses it before.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct SessionPlace(string Key, SessionRecord Record, string? Handle, DateTimeOffset ExpiresAt);
