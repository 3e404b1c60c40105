using Microsoft.AspNetCore.Mvc;
using Sojourn;
using Sojourn.AspNetCore;

namespace NestPort;

public sealed record User(string Name);

[ApiController]
public sealed class AppController(Session session) : ControllerBase
{
    [HttpGet("visits")]
    public object Visits()
    {
        session.Update<int>("visits", visits => visits + 1);
        return new { visits = session.Get<int>("visits") };
    }

    [HttpPost("login")]
    public async Task<object> Login(User user)
    {
        await session.RegenerateAsync();
        session.Set("user", user);
        return new { user };
    }

    [HttpGet("profile")]
    [RequireSession("user")]
    public object Profile([FromSession] User user) => new { user };

    [HttpPost("cart/{sku}")]
    public object Add(string sku)
    {
        session.Update<string[]>("cart", cart => [.. cart ?? [], sku]);
        return new { cart = session.Get<string[]>("cart") };
    }

    [HttpGet("cart")]
    public object Cart() => new { cart = session.Get<string[]>("cart") ?? [] };

    [HttpPost("logout")]
    public async Task Logout()
    {
        await session.DestroyAsync();
        Response.StatusCode = StatusCodes.Status204NoContent;
    }
}
