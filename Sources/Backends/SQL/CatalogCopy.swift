import Core
import GRDB

/// Copies a whole catalog from one database to another, row by row, inside a transaction of each: memory does not grow
/// with it. The tables have the same names and columns everywhere.
enum CatalogCopy {
    /// `target` has the tables, and nothing in them.
    static func run(from source: some SQLConnection, to target: some SQLConnection) throws {
        for table in tables { try copy(table, from: source, to: target) }
        for column in numberings { try target.setLastNumber(column, to: try source.lastNumber(column)) }
    }

    private static func copy(
        _ table: Table, from source: some SQLConnection, to target: some SQLConnection
    ) throws {
        let columns = table.columns.joined(separator: ", ")
        try source.each("SELECT \(columns) FROM \(table.name) ORDER BY \(table.order)") { row in
            let values: SQLArguments = table.columns.indices.map { row.value(at: $0) }
            try target.insert(into: table.name, columns, values)
        }
    }

    struct Table {
        var name: String
        var columns: [String]
        /// What a row refers to comes before it.
        var order: String

        init(_ name: String, _ columns: String, by order: String) {
            self.name = name
            self.columns = columns.split(separator: " ").map { $0 == "commit" ? "\"commit\"" : String($0) }
            self.order = order
        }
    }

    /// Those that refer to others come after them. How many entries hold a file set (`held`) is counted anew.
    static let tables = [
        Table("settings", "name value", by: "name"),
        Table("projects", "id name description created_at created_by metadata", by: "id"),
        Table("repos", "id project name type description created_at metadata", by: "id"),
        Table("branches", "id repo name head created_at updated_at created_by metadata trigger", by: "id"),
        Table("branch_provenance", "branch position upstream quiet", by: "branch, position"),
        Table(
            "commits",
            """
            sequence repo id branch parent origin description started finishing finished error root_segment root_slot \
            root_level root_digest files bytes created_by metadata layer forgotten shortcut
            """, by: "sequence"),
        Table("commit_provenance", "commit position upstream", by: "\"commit\", position"),
        Table("transactions", "id started_at requests responses owner", by: "rowid"),
        Table(
            "pipelines",
            """
            project name version spec_commit kind state reason stopped parallelism salt user_spec effective_spec \
            created_at updated_at created_by workers_started_at metadata
            """, by: "project, name, version"),
        Table(
            "launches", "project pipeline epoch version token_hash handle started_at failures",
            by: "project, pipeline"),
        Table(
            "jobs",
            """
            number project pipeline id version commit state live reason created_at started_at finished_at total \
            processed skipped failed recovered restarts download_seconds process_seconds upload_seconds \
            download_bytes upload_bytes
            """, by: "number"),
        Table(
            "file_sets",
            """
            id token created expires pinned content_segment content_slot content_level content_digest content_files \
            content_bytes deletions_segment deletions_slot deletions_level deletions_digest deletions_files \
            deletions_bytes
            """, by: "id"),
        Table("cache", "id key value tag used", by: "id"),
        Table("cache_file_sets", "entry file_set", by: "entry, file_set"),
        Table(
            "idempotency_keys", "branch operation key number sequence commit done_at", by: "branch, operation, key"),
        Table("secrets", "name type created_at", by: "name"),
        Table("secret_values", "secret key sealed", by: "secret, key"),
        Table("auth_tokens", "hash subject expires_at", by: "hash"),
        Table("role_bindings", "kind name", by: "kind, name"),
        Table("role_entries", "kind name subject roles", by: "kind, name, subject"),
        Table("group_members", "member team spelling", by: "member, team"),
        Table("object_tails", "name start bytes", by: "name, start"),
    ]

    static let numberings = [
        SQLNumbering(table: "projects", column: "id"), SQLNumbering(table: "repos", column: "id"),
        SQLNumbering(table: "branches", column: "id"), SQLNumbering(table: "commits", column: "sequence"),
        SQLNumbering(table: "jobs", column: "number"), SQLNumbering(table: "cache", column: "id"),
    ]
}
