using System.Globalization;

namespace Sojourn.Dashboard.Pages;

/// <summary>What every page shows around its content, and what its links begin with.</summary>
/// <param name="Root">The dashboard's path.</param>
/// <param name="Session">The name of the sessions that are looked at; empty for the default ones.</param>
/// <param name="Names">The names of all sessions side by side.</param>
/// <param name="Here">Which part of the dashboard this is: overview, sessions or health.</param>
/// <param name="Application">The application's name and environment.</param>
/// <param name="Operator">Who looks; <see langword="null"/> when nobody is known.</param>
/// <param name="IsOpen">Whether everybody may, because this is Development and no policy is set.</param>
/// <param name="MayEnd">Whether the operator may end sessions.</param>
/// <param name="MaySeeValues">Whether the operator may look at values.</param>
/// <param name="Now">The time, the same throughout the page.</param>
/// <param name="Version">Tells the stylesheet and the script of one release from those of the next.</param>
internal sealed record Frame(
    string Root, string Session, IReadOnlyList<string> Names, string Here, string Application, string? Operator, bool IsOpen, bool MayEnd, bool MaySeeValues,
    DateTimeOffset Now, string Version)
{
    public string Base => BaseOf(Session);

    public string Overview => Base is "" ? "/" : Base;

    public string Sessions => Base + "/list";

    public string Health => Base + "/health";

    public string BaseOf(string session) => session is "" ? Root : $"{Root}/of/{Uri.EscapeDataString(session)}";

    public string One(string handle) => $"{Base}/one/{Uri.EscapeDataString(handle)}";

    public string Of(string subject) => $"{Sessions}?find={Uri.EscapeDataString(subject)}";

    public string EndOf(string subject) => $"{Base}/subject/end?subject={Uri.EscapeDataString(subject)}";

    public string Asset(string name) => string.Create(CultureInfo.InvariantCulture, $"{Root}/assets/{name}?v={Version}");

    /// <summary>A session's name as the page says it.</summary>
    public static string NameOf(string session) => session is "" ? "default" : session;
}

/// <summary>The hidden field of a form that proves that the form is ours.</summary>
internal sealed record FormToken(string Field, string Value);
