using Sojourn.Document;

namespace Sojourn;

/// <content>The device that the session is bound to. What is done here is no use of the session: its idle deadline stays.</content>
public sealed partial class Session
{
    /// <summary>
    /// Whether the session is bound to the device that its user signed in on, so that its cookies open nothing elsewhere for longer than some minutes.
    /// </summary>
    public bool IsDeviceBound => Read(static session => session.Metadata.Binding is not null);

    /// <summary>The binding, asked without looking at the session on anybody's behalf.</summary>
    internal SessionBinding? KnownBinding
    {
        get
        {
            lock (_sync) return Metadata.Binding;
        }
    }

    /// <summary>When the subject proved who they are, asked likewise.</summary>
    internal DateTimeOffset? KnownSignedInAt
    {
        get
        {
            lock (_sync) return Metadata.SignedInAt;
        }
    }

    /// <summary>Whether the request proved that it comes from the device.</summary>
    internal bool HasDeviceProof { get; set; }

    /// <summary>Binds the session to a device, once for a sign-in, and saves it.</summary>
    /// <returns>False where it is bound already, or somebody signed in meanwhile.</returns>
    internal ValueTask<bool> BindAsync(SessionBinding binding, CancellationToken cancellationToken) =>
        SaveBindingAsync(new BindingChange(Metadata.SignedInAt, expected: null, _ => binding), cancellationToken);

    /// <summary>
    /// Puts a challenge in place of the one that was answered or is too old, and saves the session: of parallel calls with the same challenge one succeeds.
    /// </summary>
    internal ValueTask<bool> ReplaceChallengeAsync(SessionBinding binding, string next, DateTimeOffset expiresAt, CancellationToken cancellationToken) =>
        SaveBindingAsync(
            new BindingChange(signedInAt: null, expected: binding, current => current! with { Challenge = next, ChallengeExpiresAt = expiresAt }),
            cancellationToken);

    private async ValueTask<bool> SaveBindingAsync(BindingChange change, CancellationToken cancellationToken)
    {
        lock (_sync)
        {
            CountsAsActivity = false;
            Do(change);
        }

        await _operations.SaveAsync(this, evenIfEmpty: false, cancellationToken).ConfigureAwait(false);
        return change.IsDone;
    }
}
