using System.Reflection;
using Microsoft.AspNetCore.Http;

namespace Sojourn.AspNetCore;

/// <summary>One entry of the session as a parameter of a minimal API, named by the parameter: <c>(SessionEntry&lt;Cart&gt; cart) => …</c>.</summary>
/// <typeparam name="T">What the entry is read and written as.</typeparam>
public sealed class SessionEntry<T>
{
    private readonly Session _session;

    private SessionEntry(Session session, string name)
    {
        _session = session;
        Name = name;
    }

    /// <summary>The entry's name.</summary>
    public string Name { get; }

    /// <summary>Whether the entry is there.</summary>
    public bool Exists => _session.Contains(Name);

    /// <summary>The entry's value, or the type's default. Setting it sets the entry.</summary>
    /// <exception cref="SessionEntryException">The entry cannot be read as this type; it is kept.</exception>
    public T? Value
    {
        get => _session.Get<T>(Name);
        set => _session.Set(Name, value);
    }

    /// <summary>Changes the entry by a function, atomically at commit; see <see cref="Session.Update{T}(string, Func{T, T})"/>.</summary>
    /// <param name="update">From the value, or the type's default, to the new value. Pure.</param>
    public void Update(Func<T?, T?> update) => _session.Update(Name, update);

    /// <summary>Removes the entry.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Remove() => _session.Remove(Name);

#pragma warning disable CA1000 // Minimal APIs look for this very method.
    /// <summary>Binds the parameter; called by minimal APIs.</summary>
    /// <param name="context">The request.</param>
    /// <param name="parameter">The parameter, whose name is the entry's.</param>
    public static ValueTask<SessionEntry<T>?> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(parameter);
        return new(new SessionEntry<T>(context.GetSession(), parameter.Name!));
    }
#pragma warning restore CA1000
}
