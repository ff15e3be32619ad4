import Core
import Foundation
import GRDB

/// Look-ups on one connection. Lives as long as the closure of a transaction; statements are cached by the connection.
struct SQLiteTransaction: CatalogReader {
    let database: Database

    init(_ database: Database) { self.database = database }

    func row(_ sql: String, _ arguments: StatementArguments = []) throws -> Row? {
        try translating { try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments) }
    }

    func rows(_ sql: String, _ arguments: StatementArguments = []) throws -> [Row] {
        try translating { try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments) }
    }

    func integers(_ sql: String, _ arguments: StatementArguments = []) throws -> [Int64] {
        try translating { try Int64.fetchAll(database.cachedStatement(sql: sql), arguments: arguments) }
    }

    /// Errors leave as ours, also those that a caller catches inside the transaction.
    func translating<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw SQLiteErrors.translated(error, path: "catalog.sqlite") }
    }

    func setting(_ name: String) throws -> String? {
        try row("SELECT value FROM settings WHERE name = ?", [name])?["value"]
    }

    // MARK: Projects and repos

    func projects() throws -> [ProjectRecord] {
        try rows("SELECT * FROM projects ORDER BY id").map(SQLiteRows.project)
    }

    func project(_ key: ProjectKey) throws -> ProjectRecord? {
        try row("SELECT * FROM projects WHERE name = ?", [key.name]).map(SQLiteRows.project)
    }

    func repos(in projects: [ProjectKey]?, type: RepoType?) throws -> [RepoRecord] {
        var conditions: [String] = []
        var arguments: StatementArguments = []
        if let projects {
            conditions.append("project IN (\(Self.marks(projects.count)))")
            arguments += StatementArguments(projects.map(\.name))
        }
        if let type {
            conditions.append("type = ?")
            arguments += [type.rawValue]
        }
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return try rows("SELECT * FROM repos\(filter) ORDER BY project, name, type", arguments).map(SQLiteRows.repo)
    }

    func repo(_ key: RepoKey) throws -> RepoRecord? {
        try row(
            "SELECT * FROM repos WHERE project = ? AND name = ? AND type = ?",
            [key.project.name, key.name, key.type.rawValue]
        ).map(SQLiteRows.repo)
    }

    func repo(id: Int64) throws -> RepoRecord? {
        try row("SELECT * FROM repos WHERE id = ?", [id]).map(SQLiteRows.repo)
    }

    // MARK: Branches

    private static let branchColumns = """
        SELECT repos.project, repos.name, repos.type, \(SQLiteRows.branchColumns)
        FROM branches JOIN repos ON repos.id = branches.repo
        """

    func branches(repo: Int64?) throws -> [BranchRecord] {
        let rows =
            if let repo {
                try rows("\(Self.branchColumns) WHERE branches.repo = ? ORDER BY branches.id", [repo])
            } else {
                try rows("\(Self.branchColumns) ORDER BY branches.id")
            }
        return try rows.map(branch)
    }

    func branch(repo: Int64, name: String) throws -> BranchRecord? {
        try row("\(Self.branchColumns) WHERE branches.repo = ? AND branches.name = ?", [repo, name]).map(branch)
    }

    func branch(id: Int64) throws -> BranchRecord? {
        try row("\(Self.branchColumns) WHERE branches.id = ?", [id]).map(branch)
    }

    func directSubvenance(branch id: Int64) throws -> [Int64] {
        try integers("SELECT DISTINCT branch FROM branch_provenance WHERE upstream = ? ORDER BY branch", [id])
    }

    func triggeredBranches(repo: Int64?) throws -> [BranchRecord] {
        let filter = repo == nil ? "" : " AND branches.repo = ?"
        return try rows(
            "\(Self.branchColumns) WHERE branches.trigger IS NOT NULL\(filter) ORDER BY branches.id",
            repo.map { [$0] } ?? []
        ).map(branch)
    }

    private func branch(_ row: Row) throws -> BranchRecord {
        let id: Int64 = row[SQLiteRows.ownerColumns]
        let edges = try rows(
            "SELECT upstream, quiet FROM branch_provenance WHERE branch = ? ORDER BY position", [id])
        return try SQLiteRows.branch(
            row, repo: try SQLiteRows.owner(row), provenance: edges.map { $0[0] },
            quiet: Set(edges.filter { $0[1] }.map { $0[0] }))
    }

    // MARK: Commits

    private static let commitColumns = """
        SELECT repos.project, repos.name, repos.type, \(SQLiteRows.commitColumns)
        FROM commits JOIN repos ON repos.id = commits.repo
        """

    func commit(sequence: Int64) throws -> CommitRecord? {
        try row("\(Self.commitColumns) WHERE commits.sequence = ?", [sequence]).map(commit)
    }

    func commit(repo: Int64, id: CommitID) throws -> CommitRecord? {
        try row("\(Self.commitColumns) WHERE commits.id = ? AND commits.repo = ?", [SQLiteRows.blob(id), repo])
            .map(commit)
    }

    func commits(repo: Int64?, order: CommitOrder, beyond cursor: Int64?, limit: Int) throws -> [CommitRecord] {
        let ascending = order == .oldestFirst
        var conditions = ["commits.sequence \(ascending ? ">" : "<") ?"]
        let bound: Int64 = cursor ?? (ascending ? 0 : Int64.max)
        var arguments: StatementArguments = [bound]
        if let repo {
            conditions.append("commits.repo = ?")
            arguments += [repo]
        }
        arguments += [limit]
        let sql = """
            \(Self.commitColumns) WHERE \(conditions.joined(separator: " AND "))
            ORDER BY commits.sequence \(ascending ? "ASC" : "DESC") LIMIT ?
            """
        return try rows(sql, arguments).map(commit)
    }

    func commits(set id: CommitID) throws -> [CommitRecord] {
        try rows("\(Self.commitColumns) WHERE commits.id = ? ORDER BY commits.sequence", [SQLiteRows.blob(id)])
            .map(commit)
    }

    func commitSets(beyond cursor: Int64?, limit: Int) throws -> [(id: CommitID, sequence: Int64)] {
        // A set is made in one transaction, so its sequence numbers are neighbours: its highest row stands for it.
        let sql = """
            SELECT id, sequence FROM commits AS one
            WHERE sequence < ?
              AND NOT EXISTS (SELECT 1 FROM commits AS other WHERE other.id = one.id AND other.sequence > one.sequence)
            ORDER BY sequence DESC LIMIT ?
            """
        let bound: Int64 = cursor ?? Int64.max
        return try rows(sql, [bound, limit]).map { (try SQLiteRows.commitID($0["id"]), $0["sequence"]) }
    }

    private static let nameColumns = """
        SELECT repos.project, repos.name, repos.type, commits.id, branches.name
        FROM commits JOIN repos ON repos.id = commits.repo LEFT JOIN branches ON branches.id = commits.branch
        """

    func name(of sequence: Int64) throws -> CommitName? {
        try row("\(Self.nameColumns) WHERE commits.sequence = ?", [sequence]).map(Self.name)
    }

    func children(of sequence: Int64, limit: Int) throws -> [CommitName] {
        try rows(
            "\(Self.nameColumns) WHERE commits.parent = ? ORDER BY commits.sequence LIMIT ?", [sequence, limit]
        ).map(Self.name)
    }

    func childSequences(of sequence: Int64) throws -> [Int64] {
        try integers("SELECT sequence FROM commits WHERE parent = ? ORDER BY sequence", [sequence])
    }

    func subvenanceSequences(of sequence: Int64) throws -> [Int64] {
        try integers(
            "SELECT DISTINCT \"commit\" FROM commit_provenance WHERE upstream = ? ORDER BY \"commit\"", [sequence])
    }

    func directSubvenance(commit sequence: Int64, limit: Int) throws -> [CommitName] {
        // From the edges, so that the limit ends the work: one spec commit may have made millions.
        let sql = """
            SELECT repos.project, repos.name, repos.type, commits.id, branches.name
            FROM commit_provenance AS edge CROSS JOIN commits ON commits.sequence = edge."commit"
            JOIN repos ON repos.id = commits.repo LEFT JOIN branches ON branches.id = commits.branch
            WHERE edge.upstream = ? ORDER BY edge."commit" DESC LIMIT ?
            """
        return try rows(sql, [sequence, limit]).map(Self.name)
    }

    func derived(from sequence: Int64, beyond cursor: Int64?, limit: Int) throws -> [Int64] {
        try integers(
            """
            SELECT DISTINCT "commit" FROM commit_provenance WHERE upstream = ? AND "commit" > ?
            ORDER BY "commit" LIMIT ?
            """, [sequence, cursor ?? 0, limit])
    }

    private static func name(_ row: Row) throws -> CommitName {
        CommitName(key: try SQLiteRows.owner(row).commit(try SQLiteRows.commitID(row[3])), branch: row[4])
    }

    func lastSequence() throws -> Int64 {
        try row("SELECT seq FROM sqlite_sequence WHERE name = 'commits'")?["seq"] ?? 0
    }

    func commitCount() throws -> Int64 { try row("SELECT COUNT(*) FROM commits")?[0] ?? 0 }

    func forEachRoot(_ body: (_ sequence: Int64, _ root: Root) throws -> Void) throws {
        let sql = """
            SELECT sequence, root_segment, root_slot, root_level, root_digest, files, bytes, layer FROM commits
            ORDER BY sequence
            """
        let cursor = try translating { try Row.fetchCursor(database, sql: sql) }
        while let row = try translating({ try cursor.next() }) {
            try body(row[0], try SQLiteRows.root(row, at: 1))
            guard let data: Data = row[7] else { continue }
            let layer = try SQLiteRows.layer(data)
            try body(row[0], layer.content)
            try body(row[0], layer.deletions)
        }
    }

    private func commit(_ row: Row) throws -> CommitRecord {
        let sequence: Int64 = row[SQLiteRows.ownerColumns]
        let provenance = try integers(
            "SELECT upstream FROM commit_provenance WHERE \"commit\" = ? ORDER BY position", [sequence])
        return try SQLiteRows.commit(row, repo: try SQLiteRows.owner(row), provenance: provenance)
    }

    // MARK: Transactions

    func transactions() throws -> [TransactionRecord] {
        try rows("SELECT * FROM transactions ORDER BY started_at DESC, rowid DESC").map(SQLiteRows.transaction)
    }

    func transaction(_ id: CommitID) throws -> TransactionRecord? {
        try row("SELECT * FROM transactions WHERE id = ?", [SQLiteRows.blob(id)]).map(SQLiteRows.transaction)
    }

    // MARK: Pipelines

    private static let inForce = """
        version = (SELECT MAX(version) FROM pipelines AS other
                   WHERE other.project = pipelines.project AND other.name = pipelines.name)
        """

    func pipelines(in projects: [ProjectKey]?) throws -> [PipelineRecord] {
        let filter = projects.map { " AND project IN (\(Self.marks($0.count)))" } ?? ""
        return try rows(
            "SELECT \(SQLiteRows.pipelineColumns) FROM pipelines WHERE \(Self.inForce)\(filter) ORDER BY project, name",
            StatementArguments(projects?.map(\.name) ?? [])
        ).map(SQLiteRows.pipeline)
    }

    func pipeline(_ key: PipelineKey) throws -> PipelineRecord? {
        try row(
            """
            SELECT \(SQLiteRows.pipelineColumns) FROM pipelines
            WHERE project = ? AND name = ? ORDER BY version DESC LIMIT 1
            """,
            [key.project.name, key.name]
        ).map(SQLiteRows.pipeline)
    }

    func pipeline(_ key: PipelineKey, version: Int64) throws -> PipelineRecord? {
        try row(
            "SELECT \(SQLiteRows.pipelineColumns) FROM pipelines WHERE project = ? AND name = ? AND version = ?",
            [key.project.name, key.name, version]
        ).map(SQLiteRows.pipeline)
    }

    func busyPipelines(of kind: PipelineKind) throws -> [PipelineKey] {
        try rows(
            """
            SELECT project, name FROM pipelines WHERE \(Self.inForce) AND kind = ? AND EXISTS (
                SELECT 1 FROM jobs WHERE live AND jobs.project = pipelines.project AND pipeline = pipelines.name)
            ORDER BY project, name
            """,
            [kind.rawValue]
        ).map { PipelineKey(project: ProjectKey($0[0]), name: $0[1]) }
    }

    func pipelineVersions(_ key: PipelineKey) throws -> [PipelineRecord] {
        try rows(
            "SELECT \(SQLiteRows.pipelineColumns) FROM pipelines WHERE project = ? AND name = ? ORDER BY version DESC",
            [key.project.name, key.name]
        ).map(SQLiteRows.pipeline)
    }

    func launch(_ key: PipelineKey) throws -> LaunchRecord? {
        try row(
            "SELECT \(SQLiteRows.launchColumns) FROM launches WHERE project = ? AND pipeline = ?",
            [key.project.name, key.name]
        ).map(SQLiteRows.launch)
    }

    func launches() throws -> [LaunchRecord] {
        try rows("SELECT \(SQLiteRows.launchColumns) FROM launches ORDER BY project, pipeline").map(SQLiteRows.launch)
    }

    func launch(tokenHash: Digest) throws -> LaunchRecord? {
        try row(
            "SELECT \(SQLiteRows.launchColumns) FROM launches WHERE token_hash = ?",
            [SQLiteRows.blob(tokenHash)]
        ).map(SQLiteRows.launch)
    }

    private static func marks(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ", ")
    }
}
