namespace Sojourn.Storage;

/// <summary>What a store is besides, whose database needs tables or indexes before the first use.</summary>
public interface ISchemaStore
{
    /// <summary>
    /// Makes what is missing, where that is allowed, and checks the rest. Called when the application starts, and by the store itself at its first call
    /// where that did not succeed. Harmless when repeated, and when several processes do it at once.
    /// </summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionSchemaException">Something is missing that the store may not make: the application does not start.</exception>
    ValueTask EnsureSchemaAsync(CancellationToken cancellationToken);
}
