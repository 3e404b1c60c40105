using System.Globalization;
using System.Text.Json;
using MongoDB.Bson;
using MongoDB.Driver;
using Sojourn.Storage;

namespace Sojourn.MongoDb;

/// <summary>An index on one field; with <paramref name="ExpireAfterSeconds"/> MongoDB drops documents by it, that long after the date in the field.</summary>
internal sealed record Index(string Collection, string Field, int? ExpireAfterSeconds = null, bool IsSparse = false)
{
    public string Name => Field + "_1";

    private BsonDocument Key => new(Field, 1);

    /// <summary>As the command <c>createIndexes</c> takes it.</summary>
    public BsonDocument ToBson()
    {
        var index = new BsonDocument { { "key", Key }, { "name", Name } };
        index.Add("expireAfterSeconds", ExpireAfterSeconds ?? 0, ExpireAfterSeconds is not null);
        return index.Add("sparse", true, IsSparse);
    }

    /// <summary>Whether an index that is there, as the server lists it, serves as this one.</summary>
    public bool IsMetBy(BsonDocument listed) =>
        listed["key"] == Key && (ExpireAfterSeconds is null || listed.GetValue("expireAfterSeconds", BsonNull.Value) == ExpireAfterSeconds);

    /// <summary>As someone types it into mongosh.</summary>
    public string ToCommand(string? database)
    {
        var source = database is null ? "db" : $"db.getSiblingDB({Quote(database)})";
        List<string> options = [];
        if (ExpireAfterSeconds is { } seconds)
        {
            options.Add("expireAfterSeconds: " + seconds.ToString(CultureInfo.InvariantCulture));
        }

        if (IsSparse)
        {
            options.Add("sparse: true");
        }

        return $"{source}.getCollection({Quote(Collection)}).createIndex({{ {Field}: 1 }}, {{ {string.Join(", ", options)} }});";
    }

    private static string Quote(string text) => '"' + JsonEncodedText.Encode(text).ToString() + '"';
}

/// <summary>The indexes that a store needs, made or checked once.</summary>
internal sealed class Indexes(IMongoDatabase database, IReadOnlyCollection<Index> wanted, bool mayCreate)
{
    private const int Unauthorized = 13;
    private const int OptionsConflict = 85;
    private const int KeySpecsConflict = 86;
    private volatile bool _isEnsured;

    public static string Script(string? database, IEnumerable<Index> wanted) =>
        string.Join(Environment.NewLine, wanted.Select(index => index.ToCommand(database)));

    /// <exception cref="SessionSchemaException">One is missing that may not be made, or another is in its place.</exception>
    public ValueTask EnsureAsync(CancellationToken cancellationToken) => _isEnsured ? default : new(MakeOrCheckAsync(cancellationToken));

    private async Task MakeOrCheckAsync(CancellationToken cancellationToken)
    {
        foreach (var indexes in wanted.GroupBy(index => index.Collection, StringComparer.Ordinal))
        {
            await (mayCreate
                ? CreateAsync(indexes.Key, [.. indexes], cancellationToken)
                : CheckAsync(indexes.Key, [.. indexes], "CreateIndexes is false", cancellationToken)).ConfigureAwait(false);
        }

        _isEnsured = true;
    }

    /// <summary>Does nothing where they are there already; it makes the collection, too.</summary>
    private async Task CreateAsync(string collection, Index[] indexes, CancellationToken cancellationToken)
    {
        var command = new BsonDocument { { "createIndexes", collection }, { "indexes", new BsonArray(indexes.Select(index => index.ToBson())) } };
        try
        {
            await database.RunCommandAsync<BsonDocument>(command, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (MongoCommandException e) when (e.Code == Unauthorized)
        {
            await CheckAsync(collection, indexes, "the user of the connection may not create it", cancellationToken).ConfigureAwait(false);
        }
        catch (MongoCommandException e) when (e.Code is OptionsConflict or KeySpecsConflict)
        {
            throw Problem(
                $"The collection {database.DatabaseNamespace}.{collection} has an index in the place of one that sessions need, with other options: drop it "
                + $"first ({e.Message}).",
                e);
        }
    }

    private async Task CheckAsync(string collection, Index[] indexes, string whyNotCreated, CancellationToken cancellationToken)
    {
        var cursor = await database.GetCollection<BsonDocument>(collection).Indexes.ListAsync(cancellationToken).ConfigureAwait(false);
        var there = await cursor.ToListAsync(cancellationToken).ConfigureAwait(false);
        if (indexes.FirstOrDefault(index => !there.Exists(index.IsMetBy)) is { } missing)
        {
            throw Problem($"The collection {database.DatabaseNamespace}.{collection} lacks the index on {missing.Field}, and {whyNotCreated}.", null);
        }
    }

    private SessionSchemaException Problem(string sentence, Exception? inner) => new(sentence, Script(database.DatabaseNamespace.DatabaseName, wanted), inner);
}
