using System.Globalization;

namespace Sojourn.MySql;

/// <summary>The native layout's statements, valid on MySQL 8 and MariaDB alike (which has RETURNING and MySQL has not).</summary>
/// <remarks>
/// <para>None depends on whether a connection counts rows that were found or rows that were changed: what is counted always changes.</para>
/// <para>Whoever locks a record and its labels locks the record first, found by its key, so that waiting in a circle is rare.</para>
/// </remarks>
internal sealed class Statements(Tables tables)
{
    /// <summary>The order is what <see cref="MySqlSessionStore"/> reads.</summary>
    private const string Columns = "s.`document`, s.`expires`, s.`labels`, s.`version`, s.`key`";

    /// <summary>The database's clock, whatever the time zone of the connection.</summary>
    private const string Now = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";

    public string Read { get; } = $"SELECT {Columns} FROM {tables.Sessions} AS s WHERE s.`key` = @key";

    public string Create { get; } =
        $"INSERT INTO {tables.Sessions} (`key`, `version`, `expires`, `due`, `labels`, `document`) "
        + "VALUES (@key, @next, @expires, @expires, @labels, @document);";

    public string Replace { get; } =
        $"""
        UPDATE {tables.Sessions} SET `version` = @next, `expires` = @expires, `due` = LEAST(`due`, @expires), `labels` = @labels, `document` = @document
        WHERE `key` = @key AND `version` = @version;
        """;

    public string Touch { get; } =
        $"UPDATE {tables.Sessions} SET `expires` = @expires, `due` = LEAST(`due`, @expires) WHERE `key` = @key AND `version` = @version";

    public string Delete { get; } = $"DELETE s, l FROM {tables.Sessions} AS s LEFT JOIN {tables.Labels} AS l ON l.`session` = s.`key` WHERE s.`key` = @key";

    public string DeleteVersion { get; } =
        $"DELETE s, l FROM {tables.Sessions} AS s LEFT JOIN {tables.Labels} AS l ON l.`session` = s.`key` WHERE s.`key` = @key AND s.`version` = @version";

    public string Page { get; } = $"SELECT {Columns} FROM {tables.Sessions} AS s WHERE s.`key` > @after ORDER BY s.`key` LIMIT @limit";

    public string Count { get; } = $"SELECT COUNT(*) FROM {tables.Sessions}";

    public string Find { get; } = $"SELECT {Columns} FROM {tables.Labels} AS l JOIN {tables.Sessions} AS s ON s.`key` = l.`session` WHERE l.`label` = @label";

    /// <summary>Reads keys and locks nothing.</summary>
    public string KeysOfLabel { get; } = $"SELECT `session` FROM {tables.Labels} WHERE `label` = @label AND `session` > @after ORDER BY `session` LIMIT @limit";

    /// <summary>Of what comes due next, what nobody else has locked.</summary>
    public string LockDue { get; } =
        $"SELECT `key`, `expires` FROM {tables.Sessions} FORCE INDEX (`due`) WHERE `due` <= @now ORDER BY `due` LIMIT @limit FOR UPDATE SKIP LOCKED";

    public string LockDueSubjects { get; } =
        $"SELECT `subject` FROM {tables.Subjects} FORCE INDEX (`until`) WHERE `until` <= @now ORDER BY `until` LIMIT @limit FOR UPDATE SKIP LOCKED";

    public string LockDueLeases { get; } =
        $"SELECT `key` FROM {tables.Leases} FORCE INDEX (`until`) WHERE `until` <= {Now} ORDER BY `until` LIMIT @limit FOR UPDATE SKIP LOCKED";

    public string ReadSubject { get; } = $"SELECT `entry` FROM {tables.Subjects} WHERE `subject` = @subject";

    public string CreateSubject { get; } = $"INSERT INTO {tables.Subjects} (`subject`, `writes`, `until`, `entry`) VALUES (@subject, 1, @until, @next)";

    /// <summary>Counts writes, so that an entry that is replaced by itself is changed all the same.</summary>
    public string ReplaceSubject { get; } =
        $"UPDATE {tables.Subjects} SET `writes` = `writes` + 1, `until` = @until, `entry` = @next WHERE `subject` = @subject AND `entry` = @current";

    /// <summary>Whoever finds it free or his own has it; both assignments come to the same answer, in whichever order they are made.</summary>
    public string Acquire { get; } =
        $"""
        INSERT INTO {tables.Leases} (`key`, `owner`, `until`) VALUES (@key, @owner, {Now} + @duration)
        ON DUPLICATE KEY UPDATE
            `owner` = IF(`owner` = @owner OR `until` <= {Now}, @owner, `owner`),
            `until` = IF(`owner` = @owner OR `until` <= {Now}, {Now} + @duration, `until`);
        SELECT COUNT(*) FROM {tables.Leases} WHERE `key` = @key AND `owner` = @owner
        """;

    public string Release { get; } = $"DELETE FROM {tables.Leases} WHERE `key` = @key AND `owner` = @owner";

    /// <summary>Change nothing, and fail where a table, a column or a right is missing.</summary>
    public string CheckReads { get; } =
        $"""
        SELECT {Columns}, s.`due` FROM {tables.Sessions} AS s WHERE 1 = 0;
        SELECT `session`, `label` FROM {tables.Labels} WHERE 1 = 0;
        SELECT `subject`, `writes`, `until`, `entry` FROM {tables.Subjects} WHERE 1 = 0;
        SELECT `key`, `owner`, `until` FROM {tables.Leases} WHERE 1 = 0;
        """;

    /// <inheritdoc cref="CheckReads"/>
    public string CheckWrites { get; } =
        CheckWritesOf(tables.Sessions, "`key`") + CheckWritesOf(tables.Labels, "`session`")
        + CheckWritesOf(tables.Subjects, "`subject`") + CheckWritesOf(tables.Leases, "`key`");

    /// <summary>Labels of a record that was just created.</summary>
    public string AddLabels(int count) =>
        count == 0 ? "" : $"INSERT INTO {tables.Labels} (`session`, `label`) VALUES {Join(count, ", ", static n => $"(@key, @label{n})")};";

    /// <summary>Labels in place of those before, if the record was just replaced: no other writer has given it that version.</summary>
    public string ReplaceLabels(int count) =>
        $"DELETE l FROM {tables.Sessions} AS s STRAIGHT_JOIN {tables.Labels} AS l ON l.`session` = s.`key` WHERE s.`key` = @key AND s.`version` = @next;"
        + (count == 0 ? "" : $"INSERT INTO {tables.Labels} (`session`, `label`) {Join(count, " UNION ALL ", SelectLabel)};");

    /// <summary>Locks records in the order of their keys.</summary>
    public string LockKeys(int count) =>
        $"SELECT `key`, `labels` FROM {tables.Sessions} FORCE INDEX (PRIMARY) WHERE `key` IN ({Join(count, ", ", static n => "@key" + n)}) "
        + "ORDER BY `key` FOR UPDATE";

    /// <summary>
    /// Of records that are locked. One after the other in one round trip: given a list, the server may choose to read the whole table, past the locks of
    /// others.
    /// </summary>
    public string DeleteKeys(int count) =>
        ForEach(count, n => $"DELETE s, l FROM {tables.Sessions} AS s LEFT JOIN {tables.Labels} AS l ON l.`session` = s.`key` WHERE s.`key` = @key{n};");

    /// <inheritdoc cref="DeleteKeys"/>
    public string FileAnew(int count) => ForEach(count, n => $"UPDATE {tables.Sessions} SET `due` = `expires` WHERE `key` = @key{n};");

    /// <inheritdoc cref="DeleteKeys"/>
    public string DeleteSubjects(int count) => ForEach(count, n => $"DELETE FROM {tables.Subjects} WHERE `subject` = @key{n};");

    /// <inheritdoc cref="DeleteKeys"/>
    public string DeleteLeases(int count) => ForEach(count, n => $"DELETE FROM {tables.Leases} WHERE `key` = @key{n};");

    public static string ForEach(int count, Func<string, string> statement) => Join(count, " ", statement);

    public static string CheckWritesOf(string table, string column) =>
        $"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0; UPDATE {table} SET {column} = {column} WHERE 1 = 0; DELETE FROM {table} WHERE 1 = 0;";

    private string SelectLabel(string n) => $"SELECT s.`key`, @label{n} FROM {tables.Sessions} AS s WHERE s.`key` = @key AND s.`version` = @next";

    private static string Join(int count, string separator, Func<string, string> item) =>
        string.Join(separator, Enumerable.Range(0, count).Select(n => item(n.ToString(CultureInfo.InvariantCulture))));
}
