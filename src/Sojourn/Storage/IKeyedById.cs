namespace Sojourn.Storage;

/// <summary>What a store is besides, that makes keys of ids itself.</summary>
internal interface IKeyedById
{
    /// <summary>Whether the engine gives it ids for keys.</summary>
    bool IsKeyedById { get; }
}
