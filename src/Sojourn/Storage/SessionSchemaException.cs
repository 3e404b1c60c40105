namespace Sojourn.Storage;

/// <summary>The database lacks a table, a column or a right that the store needs. The message holds the script that mends it.</summary>
public sealed class SessionSchemaException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="problem">What is missing, as one sentence.</param>
    /// <param name="script">What makes it, for someone who has the right.</param>
    /// <param name="innerException">What the database said.</param>
    public SessionSchemaException(string problem, string script, Exception? innerException = null)
        : base($"{problem} Have this run by someone who may:{Environment.NewLine}{script}", innerException) => Script = script;

    /// <summary>The script that makes what the store needs.</summary>
    public string Script { get; }
}
