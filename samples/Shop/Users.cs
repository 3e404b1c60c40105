using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;

namespace Shop;

/// <summary>Demo users, whose passwords the sign-in page tells. Kept in memory: a changed password lasts until the shop is started again.</summary>
public sealed class Users
{
    public const string Operator = "operator";

    public static readonly IReadOnlyList<(User User, string Password)> Demo =
    [
        (new("alice"), "wanderlust"),
        (new("bob"), "milestone"),
        (new("olga", IsOperator: true), "lighthouse"),
    ];

    private readonly ConcurrentDictionary<string, PasswordHash> _hashes =
        new(Demo.Select(demo => KeyValuePair.Create(demo.User.Name, PasswordHash.Of(demo.Password))));

    private readonly PasswordHash _nobodys = PasswordHash.Of(RandomNumberGenerator.GetHexString(32));

    public User? Find(string? name) => Demo.Select(demo => demo.User).FirstOrDefault(user => user.Name == name);

    /// <summary>The user of a name and password. An unknown name takes as long as a wrong password, so that it does not tell who is a user.</summary>
    public User? Find(string? name, string? password)
    {
        var user = Find(name);
        var hash = user is null ? _nobodys : _hashes[user.Name];
        return hash.IsOf(password ?? "") ? user : null;
    }

    public void ChangePassword(User user, string password) => _hashes[user.Name] = PasswordHash.Of(password);
}

public sealed record User(string Name, bool IsOperator = false)
{
    /// <summary>As the session keeps them.</summary>
    public ClaimsPrincipal ToPrincipal()
    {
        var identity = new ClaimsIdentity([new(ClaimTypes.Name, Name)], "password");
        if (IsOperator)
        {
            identity.AddClaim(new(ClaimTypes.Role, Users.Operator));
        }

        return new(identity);
    }
}

/// <summary>What is kept of a password: PBKDF2 with HMAC-SHA-256, and a salt of its own.</summary>
public sealed record PasswordHash(byte[] Salt, byte[] Hash)
{
    private const int Iterations = 600_000;

    public static PasswordHash Of(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        return new(salt, Derive(password, salt));
    }

    public bool IsOf(string password) => CryptographicOperations.FixedTimeEquals(Hash, Derive(password, Salt));

    private static byte[] Derive(string password, byte[] salt) => Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, HashAlgorithmName.SHA256, 32);
}
