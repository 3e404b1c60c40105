using System.Collections.Concurrent;
using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Identity;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Sojourn.AspNetCore.Authentication;
using Sojourn.Storage;
using Sojourn.Testing;

namespace Sojourn.AspNetCore.Tests.Authentication;

/// <summary>ASP.NET Core Identity on the session: by the scheme, and by cookie authentication whose tickets are sessions.</summary>
public sealed class IdentityTests : IDisposable
{
    private const string Password = "Old-password-1";

    private readonly FaultInjectingStore _store = new(new MemorySessionStore());
    private readonly Users _users = new();

    public void Dispose() => _users.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A7_a_password_sign_in_gives_a_new_id_and_signing_out_destroys(bool byTicket)
    {
        await using var app = await StartAsync(byTicket);
        using var user = app.NewClient();
        await SignInAsync(user);
        var before = CookieOf(app, user, byTicket);
        await SignInAsync(user);
        Assert.NotEqual(before, CookieOf(app, user, byTicket));
        Assert.Equal("ada", await user.GetStringAsync("/me", Token));
        await PostAsync(user, "/out");
        Assert.Equal(HttpStatusCode.Unauthorized, (await user.GetAsync("/me", Token)).StatusCode);
        Assert.Equal(0, await Count());
    }

    [Fact]
    public async Task Wrong_passwords_lock_the_user_out_as_before()
    {
        await using var app = await StartAsync();
        using var user = app.NewClient();
        Assert.Equal("Failed", await TextAsync(user, "/in/ada/wrong"));
        Assert.Equal("Failed", await TextAsync(user, "/in/ada/wrong"));
        Assert.Equal("LockedOut", await TextAsync(user, "/in/ada/wrong"));
        Assert.Equal("LockedOut", await TextAsync(user, $"/in/ada/{Password}"));
        Assert.Equal(0, await Count());
    }

    [Theory]
    [InlineData("change-password", false)]
    [InlineData("reset-password", false)]
    [InlineData("remove-password", false)]
    [InlineData("add-password", false)]
    [InlineData("stamp", false)]
    [InlineData("two-factor", false)]
    [InlineData("authenticator", false)]
    [InlineData("email", false)]
    [InlineData("phone", false)]
    [InlineData("login", false)]
    [InlineData("change-password", true)]
    public async Task A12_V17_what_the_user_proves_themselves_with_changes_and_their_other_sessions_end(string change, bool byTicket)
    {
        await using var app = await StartAsync(byTicket);
        using var own = app.NewClient();
        using var other = app.NewClient();
        using var bob = app.NewClient();
        await SignInAsync(own);
        await SignInAsync(other);
        await SignInAsync(bob, "bob");
        using var thief = app.NewBareClient();
        thief.DefaultRequestHeaders.Add("Cookie", $"{(byTicket ? "auth" : "sid")}={CookieOf(app, own, byTicket)}");
        Assert.Equal("Succeeded", await TextAsync(own, $"/{change}/ada"));
        Assert.Equal("ada", await own.GetStringAsync("/me", Token));
        Assert.Equal("bob", await bob.GetStringAsync("/me", Token));
        Assert.Equal(HttpStatusCode.Unauthorized, (await other.GetAsync("/me", Token)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await thief.GetAsync("/me", Token)).StatusCode);
        Assert.Equal(2, await Count());
    }

    [Fact]
    public async Task A11_whoever_changes_anothers_password_keeps_their_own_session()
    {
        await using var app = await StartAsync();
        using var admin = app.NewClient();
        using var ada = app.NewClient();
        await SignInAsync(admin, "bob");
        await SignInAsync(ada);
        Assert.Equal("Succeeded", await TextAsync(admin, "/stamp/ada"));
        Assert.Equal("bob", await admin.GetStringAsync("/me", Token));
        Assert.Equal(HttpStatusCode.Unauthorized, (await ada.GetAsync("/me", Token)).StatusCode);
    }

    [Fact]
    public async Task A_change_that_is_refused_ends_nothing()
    {
        await using var app = await StartAsync();
        using var own = app.NewClient();
        using var other = app.NewClient();
        await SignInAsync(own);
        await SignInAsync(other);
        Assert.Equal("PasswordMismatch", await TextAsync(own, "/change-password/ada?old=wrong"));
        Assert.Equal("ada", await other.GetStringAsync("/me", Token));
    }

    [Fact]
    public async Task A40_a_change_whose_sessions_cannot_be_ended_is_no_success_and_the_stamp_ends_them_later()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using var app = await StartAsync(time: time);
        using var own = app.NewClient();
        using var other = app.NewClient();
        await SignInAsync(own);
        await SignInAsync(other);
        _store.On(StoreVerb.Delete).Fail();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await own.PostAsync("/change-password/ada", null, Token)).StatusCode);
        _store.Clear();
        time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(HttpStatusCode.Unauthorized, (await other.GetAsync("/me", Token)).StatusCode);
    }

    [Fact]
    public async Task A_stamp_that_was_changed_elsewhere_is_noticed_after_the_interval()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using var app = await StartAsync(time: time);
        using var user = app.NewClient();
        await SignInAsync(user);
        time.Advance(TimeSpan.FromMinutes(6));
        var writes = _store.CallsOf(StoreVerb.Replace);
        Assert.Equal("ada", await user.GetStringAsync("/me", Token));
        Assert.Equal("ada", await user.GetStringAsync("/me", Token));
        Assert.Equal(writes + 1, _store.CallsOf(StoreVerb.Replace));
        _users.Of("ada").Stamp = "changed elsewhere";
        time.Advance(TimeSpan.FromMinutes(4));
        Assert.Equal("ada", await user.GetStringAsync("/me", Token));
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(HttpStatusCode.Unauthorized, (await user.GetAsync("/me", Token)).StatusCode);
        Assert.Equal(0, await Count());
    }

    [Theory]
    [InlineData("ada")]
    [InlineData("bob")]
    public async Task Nor_does_anybody_act_as_a_user_once_either_of_them_has_another_stamp(string changed)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using var app = await StartAsync(time: time);
        using var ada = app.NewClient();
        await SignInAsync(ada);
        await ada.PostAsync("/as/bob", null, Token);
        Assert.Equal("bob", await ada.GetStringAsync("/me", Token));
        time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("bob", await ada.GetStringAsync("/me", Token));
        _users.Of(changed).Stamp = "changed elsewhere";
        time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(HttpStatusCode.Unauthorized, (await ada.GetAsync("/me", Token)).StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task V17_no_sign_in_with_the_old_password_survives_its_change(bool byTicket)
    {
        await using var app = await StartAsync(byTicket);
        for (var round = 0; round < 20; round++)
        {
            var (before, after) = ($"Old-password-{round}", $"Old-password-{round + 1}");
            _users.SetPassword("ada", before);
            using var owner = app.NewClient();
            await SignInAsync(owner, password: before);
            var thieves = Enumerable.Range(0, 6).Select(_ => app.NewClient()).ToArray();
            var signIns = thieves.Select(async (thief, i) =>
            {
                await Task.Delay(i, Token);
                (await thief.PostAsync($"/in/ada/{before}?lockout=false", null, Token)).Dispose();
            });
            var change = TextAsync(owner, $"/change-password/ada?old={before}&next={after}");
            await Task.WhenAll([.. signIns, change]);
            Assert.Equal("Succeeded", await change);
            foreach (var thief in thieves)
            {
                Assert.Equal(HttpStatusCode.Unauthorized, (await thief.GetAsync("/me", Token)).StatusCode);
                thief.Dispose();
            }

            Assert.Equal("ada", await owner.GetStringAsync("/me", Token));
            await PostAsync(owner, "/out");
        }

        Assert.Equal(0, await Count());
    }

    [Fact]
    public void A_user_manager_that_would_end_no_sessions_is_refused()
    {
        var identity = new ServiceCollection().AddIdentityCore<User>().AddUserManager<PlainManager>();
        Assert.Contains(
            "SojournUserManager<User>", Assert.Throws<InvalidOperationException>(() => identity.AddSojournSessions<User>()).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => identity.AddSojournSessions<Users>());
        new ServiceCollection().AddIdentityCore<User>().AddUserManager<OwnManager>().AddSojournSessions<User>();
    }

    private static string CookieOf(TestApp app, HttpClient client, bool byTicket) =>
        TestApp.CookiesOf(client).GetCookies(app.Address)[byTicket ? "auth" : "sid"]!.Value;

    private static async Task SignInAsync(HttpClient client, string name = "ada", string password = Password) =>
        Assert.Equal("Succeeded", await TextAsync(client, $"/in/{name}/{password}"));

    private static async Task PostAsync(HttpClient client, string path)
    {
        using var response = await client.PostAsync(path, null, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    private static async Task<string> TextAsync(HttpClient client, string path)
    {
        using var response = await client.PostAsync(path, null, Token);
        return await response.Content.ReadAsStringAsync(Token);
    }

    private async Task<long> Count() => await _store.As<ISessionIndex>()!.CountAsync(Token);

    private Task<TestApp> StartAsync(bool byTicket = false, TimeProvider? time = null) => TestApp.StartAsync(
        app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            app.UseSojourn();
            app.MapPost("/in/{name}/{password}", async (SignInManager<User> signIn, string name, string password, bool lockout = true) =>
                (await signIn.PasswordSignInAsync(name, password, isPersistent: false, lockoutOnFailure: lockout)).ToString());
            app.MapPost("/out", (SignInManager<User> signIn) => signIn.SignOutAsync());
            app.MapGet("/me", (ClaimsPrincipal user) => user.Identity!.Name).RequireAuthorization();
            app.MapPost("/as/{name}", async (HttpContext context, SignInManager<User> signIn, string name) =>
                await context.ImpersonateAsync(await signIn.CreateUserPrincipalAsync(_users.Of(name)), IdentityConstants.ApplicationScheme));
            app.MapPost(
                "/{change}/{name}", async (UserManager<User> users, string change, string name, string old = Password, string next = "New-password-2") =>
            {
                var user = (await users.FindByNameAsync(name))!;
                var result = change switch
                {
                    "change-password" => await users.ChangePasswordAsync(user, old, next),
                    "reset-password" => await users.ResetPasswordAsync(user, await users.GeneratePasswordResetTokenAsync(user), next),
                    "remove-password" => await users.RemovePasswordAsync(user),
                    "add-password" => await AddAsync(),
                    "stamp" => await users.UpdateSecurityStampAsync(user),
                    "two-factor" => await users.SetTwoFactorEnabledAsync(user, true),
                    "email" => await users.SetEmailAsync(user, "new@example.com"),
                    "phone" => await users.SetPhoneNumberAsync(user, "555"),
                    "login" => await users.RemoveLoginAsync(user, "google", "1"),
                    _ => await users.ResetAuthenticatorKeyAsync(user),
                };
                return result.Succeeded ? "Succeeded" : result.Errors.First().Code;

                async Task<IdentityResult> AddAsync()
                {
                    user.PasswordHash = null;
                    return await users.AddPasswordAsync(user, next);
                }
            });
        },
        _store,
        services: services =>
        {
            services.AddSingleton<IUserStore<User>>(_users);
            services.AddDataProtection();
            services.AddAuthorization();
            services.Configure<SecurityStampValidatorOptions>(o => o.ValidationInterval = TimeSpan.FromMinutes(5));
            services.Configure<IdentityOptions>(o => o.Lockout.MaxFailedAccessAttempts = 3);
            services.Configure<PasswordHasherOptions>(o => o.IterationCount = 100);
            services.AddIdentityCore<User>().AddSignInManager().AddDefaultTokenProviders().AddSojournSessions<User>();
            var authentication = services.AddAuthentication(IdentityConstants.ApplicationScheme);
            if (byTicket)
            {
                authentication.AddCookie(IdentityConstants.ApplicationScheme, o =>
                {
                    o.Cookie.Name = "auth";
                    o.Events.OnRedirectToLogin = static context =>
                    {
                        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                        return Task.CompletedTask;
                    };
                }).UseSojournTickets(IdentityConstants.ApplicationScheme);
            }
            else
            {
                authentication.AddSojourn(IdentityConstants.ApplicationScheme, o => o.LoginPath = null);
            }
        },
        time: time,
        useSojourn: false);

    private sealed class User
    {
        public required string Name { get; init; }

        public string? PasswordHash { get; set; }

        public string? Stamp { get; set; }

        public int Failures { get; set; }

        public DateTimeOffset? LockedUntil { get; set; }

        public bool HasSecondFactor { get; set; }

        public string? Key { get; set; }

        public User Copy() => (User)MemberwiseClone();
    }

    private sealed class PlainManager(
        IUserStore<User> store, Microsoft.Extensions.Options.IOptions<IdentityOptions> options, IPasswordHasher<User> hasher,
        IEnumerable<IUserValidator<User>> users,
        IEnumerable<IPasswordValidator<User>> passwords, ILookupNormalizer normalizer, IdentityErrorDescriber errors, IServiceProvider services,
        Microsoft.Extensions.Logging.ILogger<UserManager<User>> logger)
        : UserManager<User>(store, options, hasher, users, passwords, normalizer, errors, services, logger);

    private sealed class OwnManager(
        IUserStore<User> store, Microsoft.Extensions.Options.IOptions<IdentityOptions> options, IPasswordHasher<User> hasher,
        IEnumerable<IUserValidator<User>> users,
        IEnumerable<IPasswordValidator<User>> passwords, ILookupNormalizer normalizer, IdentityErrorDescriber errors, IServiceProvider services,
        Microsoft.Extensions.Logging.ILogger<UserManager<User>> logger)
        : SojournUserManager<User>(store, options, hasher, users, passwords, normalizer, errors, services, logger);

    /// <summary>Users as a database keeps them: each reader gets a copy, an update puts it back.</summary>
    private sealed class Users : IUserPasswordStore<User>, IUserSecurityStampStore<User>, IUserLockoutStore<User>, IUserTwoFactorStore<User>,
        IUserAuthenticatorKeyStore<User>, IUserEmailStore<User>, IUserPhoneNumberStore<User>, IUserLoginStore<User>
    {
        private readonly ConcurrentDictionary<string, User> _users = new(StringComparer.OrdinalIgnoreCase);

        public Users()
        {
            foreach (var name in (string[])["ada", "bob"])
            {
                _users[name] = new User { Name = name, Stamp = name };
                SetPassword(name, Password);
            }
        }

        public User Of(string name) => _users[name];

        public void SetPassword(string name, string password)
        {
            var hasher = new PasswordHasher<User>(Microsoft.Extensions.Options.Options.Create(new PasswordHasherOptions { IterationCount = 100 }));
            _users[name].PasswordHash = hasher.HashPassword(_users[name], password);
        }

        public Task<User?> FindByIdAsync(string userId, CancellationToken cancellationToken) => FindByNameAsync(userId, cancellationToken);

        public Task<User?> FindByNameAsync(string normalizedUserName, CancellationToken cancellationToken) =>
            Task.FromResult(_users.TryGetValue(normalizedUserName, out var user) ? user.Copy() : null);

        public Task<IdentityResult> UpdateAsync(User user, CancellationToken cancellationToken)
        {
            _users[user.Name] = user.Copy();
            return Task.FromResult(IdentityResult.Success);
        }

        public Task<IdentityResult> CreateAsync(User user, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IdentityResult> DeleteAsync(User user, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<string> GetUserIdAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.Name);

        public Task<string?> GetUserNameAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(user.Name);

        public Task<string?> GetNormalizedUserNameAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(user.Name);

        public Task SetNormalizedUserNameAsync(User user, string? normalizedName, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task SetUserNameAsync(User user, string? userName, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<string?> GetPasswordHashAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.PasswordHash);

        public Task<bool> HasPasswordAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.PasswordHash is not null);

        public Task SetPasswordHashAsync(User user, string? passwordHash, CancellationToken cancellationToken) => Set(() => user.PasswordHash = passwordHash);

        public Task<string?> GetSecurityStampAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.Stamp);

        public Task SetSecurityStampAsync(User user, string stamp, CancellationToken cancellationToken) => Set(() => user.Stamp = stamp);

        public Task<int> GetAccessFailedCountAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.Failures);

        public Task<bool> GetLockoutEnabledAsync(User user, CancellationToken cancellationToken) => Task.FromResult(true);

        public Task<DateTimeOffset?> GetLockoutEndDateAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.LockedUntil);

        public Task<int> IncrementAccessFailedCountAsync(User user, CancellationToken cancellationToken) => Task.FromResult(++user.Failures);

        public Task ResetAccessFailedCountAsync(User user, CancellationToken cancellationToken) => Set(() => user.Failures = 0);

        public Task SetLockoutEnabledAsync(User user, bool enabled, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task SetLockoutEndDateAsync(User user, DateTimeOffset? lockoutEnd, CancellationToken cancellationToken) =>
            Set(() => user.LockedUntil = lockoutEnd);

        public Task<bool> GetTwoFactorEnabledAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.HasSecondFactor);

        public Task SetTwoFactorEnabledAsync(User user, bool enabled, CancellationToken cancellationToken) => Set(() => user.HasSecondFactor = enabled);

        public Task<string?> GetAuthenticatorKeyAsync(User user, CancellationToken cancellationToken) => Task.FromResult(user.Key);

        public Task SetAuthenticatorKeyAsync(User user, string key, CancellationToken cancellationToken) => Set(() => user.Key = key);

        public Task SetEmailAsync(User user, string? email, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<string?> GetEmailAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

        public Task<bool> GetEmailConfirmedAsync(User user, CancellationToken cancellationToken) => Task.FromResult(false);

        public Task SetEmailConfirmedAsync(User user, bool confirmed, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<User?> FindByEmailAsync(string normalizedEmail, CancellationToken cancellationToken) => Task.FromResult<User?>(null);

        public Task<string?> GetNormalizedEmailAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

        public Task SetNormalizedEmailAsync(User user, string? normalizedEmail, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task SetPhoneNumberAsync(User user, string? phoneNumber, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<string?> GetPhoneNumberAsync(User user, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

        public Task<bool> GetPhoneNumberConfirmedAsync(User user, CancellationToken cancellationToken) => Task.FromResult(false);

        public Task SetPhoneNumberConfirmedAsync(User user, bool confirmed, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task AddLoginAsync(User user, UserLoginInfo login, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task RemoveLoginAsync(User user, string loginProvider, string providerKey, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<IList<UserLoginInfo>> GetLoginsAsync(User user, CancellationToken cancellationToken) => Task.FromResult<IList<UserLoginInfo>>([]);

        public Task<User?> FindByLoginAsync(string loginProvider, string providerKey, CancellationToken cancellationToken) => Task.FromResult<User?>(null);

        public void Dispose()
        {
        }

        private static Task Set(Action set)
        {
            set();
            return Task.CompletedTask;
        }
    }
}
