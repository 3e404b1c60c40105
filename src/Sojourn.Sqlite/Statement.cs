using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Sojourn.Sqlite;

/// <summary>A prepared statement that is used again and again: parameters in, columns out, without objects in between.</summary>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly sqlite3_stmt _handle;

    public Statement(sqlite3 connection, string sql)
    {
        _connection = connection;
        Check(raw.sqlite3_prepare_v2(connection, sql, out _handle));
    }

    public Statement Bind(int parameter, long value)
    {
        Check(raw.sqlite3_bind_int64(_handle, parameter, value));
        return this;
    }

    public Statement Bind(int parameter, string text)
    {
        Span<byte> onStack = stackalloc byte[256];
        var utf8 = Encoding.UTF8.TryGetBytes(text, onStack, out var written) ? onStack[..written] : Encoding.UTF8.GetBytes(text);
        Check(raw.sqlite3_bind_text(_handle, parameter, utf8));
        return this;
    }

    public Statement BindText(int parameter, ReadOnlySpan<byte> utf8)
    {
        Check(raw.sqlite3_bind_text(_handle, parameter, utf8));
        return this;
    }

    public Statement BindBlob(int parameter, ReadOnlySpan<byte> bytes)
    {
        Check(raw.sqlite3_bind_blob(_handle, parameter, bytes));
        return this;
    }

    public Statement BindNull(int parameter)
    {
        Check(raw.sqlite3_bind_null(_handle, parameter));
        return this;
    }

    /// <summary>Runs a statement that gives no rows.</summary>
    /// <returns>How many rows it changed; what triggers changed does not count.</returns>
    public int Execute()
    {
        while (Step())
        {
        }
        var changes = raw.sqlite3_changes(_connection);
        Reset();
        return changes;
    }

    /// <summary>Goes to the next row.</summary>
    /// <returns><see langword="false"/> at the end.</returns>
    public bool Step()
    {
        var result = raw.sqlite3_step(_handle);
        if (result is raw.SQLITE_ROW) return true;
        if (result is not raw.SQLITE_DONE) Check(result);
        return false;
    }

    public long Number(int column) => raw.sqlite3_column_int64(_handle, column);

    /// <summary>A column's bytes, valid until the next step; empty when it is NULL.</summary>
    public ReadOnlySpan<byte> Bytes(int column) => raw.sqlite3_column_blob(_handle, column);

    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));

    /// <summary>Ends the statement's read transaction. An error that it repeats was thrown by the step already.</summary>
    public void Reset() => _ = raw.sqlite3_reset(_handle);

    public void Dispose() => _handle.Dispose();

    private void Check(int result)
    {
        if (result is not raw.SQLITE_OK) SqliteException.ThrowExceptionForRC(result, _connection);
    }
}
