using System.CommandLine;

namespace Sojourn.Tool.Stores;

/// <summary>The options that name a store: of the one store of most commands, or of one of the two of a migration.</summary>
internal sealed class StoreOptions
{
    private readonly string _name;
    private readonly string _variable;
    private readonly Option<string?> _store;
    private readonly Option<string> _layout;
    private readonly Option<string[]> _set;

    private StoreOptions(string name, string prefix, string what)
    {
        (_name, _variable) = ("--" + name, "SOJOURN_" + name.ToUpperInvariant());
        _store = new(_name)
        {
            Description = $"{what}: {StoreAddress.Forms}. Better in the environment variable {_variable}, since a command line can be read by others.",
            HelpName = "address",
        };
        _layout = new($"--{prefix}layout") { Description = "Its layout: native, or the npm store's.", DefaultValueFactory = static _ => Layout.Native };
        _layout.AcceptOnlyFromAmong([.. Layout.All.Select(static layout => layout.Name).Distinct()]);
        _set = new($"--{prefix}set")
        {
            Description = "An option of the store by its name in the library, such as KeyPrefix=shop: or TableName=session. May be repeated.",
            HelpName = "name=value",
            DefaultValueFactory = static _ => [],
        };
    }

    public static StoreOptions One() => new("store", "", "The store");

    public static StoreOptions From() => new("from", "from-", "The store to move from");

    public static StoreOptions To() => new("to", "to-", "The store to move to");

    public void AddTo(Command command)
    {
        command.Add(_store);
        command.Add(_layout);
        command.Add(_set);
    }

    /// <exception cref="ToolException">No store was named, or none like this exists.</exception>
    public StoreDescription Read(ParseResult parsed, ToolConsole console)
    {
        var text = parsed.GetValue(_store) ?? console.Variable(_variable);
        if (string.IsNullOrWhiteSpace(text))
        {
            throw new ToolException($"Say where the store is: {_name}, or {_variable} in the environment. It is one of {StoreAddress.Forms}.");
        }

        var address = StoreAddress.Parse(text);
        return new StoreDescription(address, Layout.Find(address.Database, parsed.GetValue(_layout)!), parsed.GetValue(_set) ?? []);
    }
}

/// <summary>A store as it was named.</summary>
internal sealed record StoreDescription(StoreAddress Address, Layout Layout, IReadOnlyList<string> Settings)
{
    /// <summary>To be shown: no user and no password.</summary>
    public string Display => $"{Address.Display} ({Layout.Name})";
}
