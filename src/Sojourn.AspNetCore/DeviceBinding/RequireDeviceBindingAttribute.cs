using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>
/// Lets a request through only if its session is bound to a device and the request comes from it. Others get 403 problem details
/// (<c>urn:sojourn:device-binding-required</c>), or are sent to a page. Needs <c>WithDeviceBinding</c>, without which nobody is let through.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequireDeviceBindingAttribute : SessionRequirementAttribute
{
    private protected override string Type => "urn:sojourn:device-binding-required";

    private protected override string Title => "This needs a session that is bound to its device, which this browser's is not.";

    private protected override int Status => StatusCodes.Status403Forbidden;

    internal override bool IsMetBy(Sojourn.Session session, TimeProvider time) => session.IsDeviceBound && session.HasDeviceProof;
}
