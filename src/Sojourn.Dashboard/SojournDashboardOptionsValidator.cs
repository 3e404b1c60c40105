using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Sojourn.Dashboard;

/// <summary>Closed by default: without a policy the application starts in Development alone, and a policy that does not exist is found at start.</summary>
internal sealed class SojournDashboardOptionsValidator(IHostEnvironment environment, IServiceProvider services) : IValidateOptions<SojournDashboardOptions>
{
    public ValidateOptionsResult Validate(string? name, SojournDashboardOptions options)
    {
        var problems = new ValidateOptionsResultBuilder();
        if (options.ReadPolicy is null && !environment.IsDevelopment())
        {
            problems.AddError(
                "Who may see the dashboard is not said: set SojournDashboardOptions.ReadPolicy, or Sojourn:Dashboard:ReadPolicy in the configuration, to an "
                + "authorization policy, such as one of AddAuthorizationBuilder().AddPolicy(\"operators\", policy => policy.RequireRole(\"operator\")).");
        }

        if (options.ReadPolicy is null && (options.EndPolicy ?? options.ValuesPolicy) is not null)
        {
            problems.AddError(
                "EndPolicy and ValuesPolicy add to ReadPolicy, which is not set: set SojournDashboardOptions.ReadPolicy to the authorization policy of those "
                + "who may see the pages.");
        }

        Require(options.ReadPolicy, nameof(options.ReadPolicy));
        Require(options.EndPolicy, nameof(options.EndPolicy));
        Require(options.ValuesPolicy, nameof(options.ValuesPolicy));
        return problems.Build();

        void Require(string? policy, string option)
        {
            if (policy is null)
            {
                return;
            }

            if (services.GetService<IAuthorizationPolicyProvider>() is not { } provider)
            {
                problems.AddError(
                    $"SojournDashboardOptions.{option} is '{policy}', but the application has no authorization: call builder.Services.AddAuthorization().");
            }
            else if (provider.GetType() == typeof(DefaultAuthorizationPolicyProvider)
                && services.GetRequiredService<IOptions<AuthorizationOptions>>().Value.GetPolicy(policy) is null)
            {
                problems.AddError(
                    $"SojournDashboardOptions.{option} is '{policy}', but there is no such policy: call AddAuthorizationBuilder().AddPolicy(\"{policy}\", …).");
            }
        }
    }
}
