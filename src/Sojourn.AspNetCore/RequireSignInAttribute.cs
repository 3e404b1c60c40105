namespace Sojourn.AspNetCore;

/// <summary>
/// Lets a request through only if somebody is signed in to its session. Others get 401 problem details (<c>urn:sojourn:sign-in-required</c>), or are sent to a
/// page.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequireSignInAttribute : SessionRequirementAttribute
{
    private protected override string Type => "urn:sojourn:sign-in-required";

    private protected override string Title => "This needs somebody who is signed in.";

    internal override bool IsMetBy(Sojourn.Session session, TimeProvider time) => session.Subject is not null;
}

/// <summary>
/// Lets a request through only if the user proved who they are a short time ago: at sign-in, or by <see cref="Sojourn.Session.ConfirmSignInAsync"/>. Others get
/// 401 problem details (<c>urn:sojourn:fresh-sign-in-required</c>), or are sent to a page. Who acts as another user is never let through.
/// </summary>
/// <param name="maxAgeSeconds">How long ago at the most, in seconds; more than zero.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequireFreshSignInAttribute(double maxAgeSeconds) : SessionRequirementAttribute
{
    /// <summary>How long ago at the most.</summary>
    public TimeSpan MaxAge { get; } = maxAgeSeconds > 0
        ? TimeSpan.FromSeconds(maxAgeSeconds)
        : throw new ArgumentOutOfRangeException(nameof(maxAgeSeconds), "A sign-in is fresh for more than no time.");

    private protected override string Type => "urn:sojourn:fresh-sign-in-required";

    private protected override string Title => "This needs the user to prove again who they are.";

    internal override bool IsMetBy(Sojourn.Session session, TimeProvider time) => session.SignedInAt is { } signedIn && time.GetUtcNow() - signedIn <= MaxAge;
}
