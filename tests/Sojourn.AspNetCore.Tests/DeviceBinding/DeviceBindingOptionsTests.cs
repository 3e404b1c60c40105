using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Sojourn.AspNetCore.Tests.DeviceBinding;

/// <summary>What browsers would not bind fails at the start, with the fix in the message.</summary>
public sealed class DeviceBindingOptionsTests
{
    [Theory]
    [InlineData("CookieLifetime must be 5 minutes to 1 hour", "CookieLifetime", "00:04:59")]
    [InlineData("CookieLifetime must be 5 minutes to 1 hour", "CookieLifetime", "01:00:01")]
    [InlineData("ChallengeLifetime must be 1 second to 5 minutes", "ChallengeLifetime", "00:05:01")]
    [InlineData("RegistrationTime must be 1 second to 10 minutes", "RegistrationTime", "00:10:01")]
    [InlineData("must not begin with __Host-Http-", "CookieName", "__Host-Http-bound")]
    [InlineData("must be a cookie name", "CookieName", "two words")]
    [InlineData("is the name of a session's cookie", "CookieName", "__Host-sid")]
    [InlineData("DeviceBinding.Path must begin with", "Path", "session")]
    [InlineData("DeviceBinding.Path must begin with", "Path", "/\"quoted\"")]
    public async Task Options_of_the_binding_are_checked(string expected, string option, string value)
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(
            _ => { },
            services: all => new SojournBuilder(all).WithDeviceBinding(),
            environment: "Production",
            configuration: new Dictionary<string, string?> { ["Sojourn:DeviceBinding:" + option] = value }));
        Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_of_the_sessions_cookie_are_checked()
    {
        foreach (var (expected, configure) in ((string, Action<SojournOptions>)[])[
            ("Cookie.Partitioned", o => o.Cookie.Partitioned = true),
            ("Leave Cookie.Domain null", o => (o.Cookie.Name, o.Cookie.Domain) = ("sid", "example.com")),
            ("needs https", o => (o.Cookie.Name, o.Cookie.Secure) = ("sid", CookieSecure.Never)),
            ("must not begin with __Host-Http-", o => o.Cookie.Name = "__Host-Http-sid")])
        {
            var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(
                _ => { }, options: configure, services: all => new SojournBuilder(all).WithDeviceBinding(), environment: "Production"));
            Assert.Contains(expected, failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_named_session_has_a_cookie_and_a_path_of_its_own()
    {
        await using var app = await TestApp.StartAsync(
            _ => { },
            services: all =>
            {
                new SojournBuilder(all).WithDeviceBinding();
                all.AddSojourn("admin", o => o.Cookie.Path = "/admin").WithDeviceBinding();
            },
            environment: "Production");
        var options = app.Services.GetRequiredService<IOptionsMonitor<DeviceBindingOptions>>();
        Assert.Equal(("__Host-sidb", "/session/binding"), (options.Get("").CookieName, options.Get("").Path));
        Assert.Equal(("__Secure-sid-adminb", "/admin/session/binding/admin"), (options.Get("admin").CookieName, options.Get("admin").Path));
    }
}
