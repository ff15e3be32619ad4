import Core
import Foundation

/// Look-ups and changes on one connection, in the words of any database. Lives as long as the closure of a transaction.
struct SQLTransaction<Connection: SQLConnection>: CatalogReader {
    let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    func row(_ sql: String, _ arguments: SQLArguments = []) throws -> Connection.Answer? {
        try connection.row(sql, arguments)
    }

    func rows(_ sql: String, _ arguments: SQLArguments = []) throws -> [Connection.Answer] {
        try connection.rows(sql, arguments)
    }

    func integers(_ sql: String, _ arguments: SQLArguments = []) throws -> [Int64] {
        try connection.integers(sql, arguments)
    }

    func setting(_ name: String) throws -> String? {
        try row("SELECT value FROM settings WHERE name = ?", [name])?[0]
    }

    // MARK: Projects and repos

    func projects() throws -> [ProjectRecord] {
        try rows("SELECT \(SQLRows.projectColumns) FROM projects ORDER BY id").map(SQLRows.project)
    }

    func project(_ key: ProjectKey) throws -> ProjectRecord? {
        try row("SELECT \(SQLRows.projectColumns) FROM projects WHERE name = ?", [key.name]).map(SQLRows.project)
    }

    func repos(in projects: [ProjectKey]?, type: RepoType?) throws -> [RepoRecord] {
        var conditions: [String] = []
        var arguments: SQLArguments = []
        if let projects {
            conditions.append("project IN (\(SQLWords.marks(projects.count)))")
            arguments += projects.map(\.name) as SQLArguments
        }
        if let type {
            conditions.append("type = ?")
            arguments += [type.rawValue]
        }
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return try rows(
            "SELECT \(SQLRows.repoColumns) FROM repos\(filter) ORDER BY project, name, type", arguments
        ).map(SQLRows.repo)
    }

    func repo(_ key: RepoKey) throws -> RepoRecord? {
        try row(
            "SELECT \(SQLRows.repoColumns) FROM repos WHERE project = ? AND name = ? AND type = ?",
            [key.project.name, key.name, key.type.rawValue]
        ).map(SQLRows.repo)
    }

    func repo(id: Int64) throws -> RepoRecord? {
        try row("SELECT \(SQLRows.repoColumns) FROM repos WHERE id = ?", [id]).map(SQLRows.repo)
    }

    // MARK: Branches

    func branches(repo: Int64?) throws -> [BranchRecord] {
        let rows =
            if let repo {
                try rows("\(SQLRows.fromBranches) WHERE branches.repo = ? ORDER BY branches.id", [repo])
            } else {
                try rows("\(SQLRows.fromBranches) ORDER BY branches.id")
            }
        return try rows.map(branch)
    }

    func branch(repo: Int64, name: String) throws -> BranchRecord? {
        try row("\(SQLRows.fromBranches) WHERE branches.repo = ? AND branches.name = ?", [repo, name]).map(branch)
    }

    func branch(id: Int64) throws -> BranchRecord? {
        try row("\(SQLRows.fromBranches) WHERE branches.id = ?", [id]).map(branch)
    }

    func directSubvenance(branch id: Int64) throws -> [Int64] {
        try integers("SELECT DISTINCT branch FROM branch_provenance WHERE upstream = ? ORDER BY branch", [id])
    }

    func triggeredBranches(repo: Int64?) throws -> [BranchRecord] {
        let filter = repo == nil ? "" : " AND branches.repo = ?"
        return try rows(
            "\(SQLRows.fromBranches) WHERE branches.trigger IS NOT NULL\(filter) ORDER BY branches.id",
            repo.map { [$0] } ?? []
        ).map(branch)
    }

    private func branch(_ row: some SQLRow) throws -> BranchRecord {
        let id: Int64 = row[SQLRows.ownerColumns]
        let edges = try rows(
            "SELECT upstream, quiet FROM branch_provenance WHERE branch = ? ORDER BY position", [id])
        return try SQLRows.branch(
            row, repo: try SQLRows.owner(row), provenance: edges.map { $0[0] },
            quiet: Set(edges.filter { $0[1] }.map { $0[0] }))
    }

    // MARK: Commits

    func commit(sequence: Int64) throws -> CommitRecord? {
        try row("\(SQLRows.fromCommits) WHERE commits.sequence = ?", [sequence]).map(commit)
    }

    func commit(repo: Int64, id: CommitID) throws -> CommitRecord? {
        try row("\(SQLRows.fromCommits) WHERE commits.id = ? AND commits.repo = ?", [SQLRows.blob(id), repo])
            .map(commit)
    }

    func commits(repo: Int64?, order: CommitOrder, beyond cursor: Int64?, limit: Int) throws -> [CommitRecord] {
        let ascending = order == .oldestFirst
        var conditions = ["commits.sequence \(ascending ? ">" : "<") ?"]
        let bound: Int64 = cursor ?? (ascending ? 0 : Int64.max)
        var arguments: SQLArguments = [bound]
        if let repo {
            conditions.append("commits.repo = ?")
            arguments += [repo]
        }
        arguments += [limit]
        let sql = """
            \(SQLRows.fromCommits) WHERE \(conditions.joined(separator: " AND "))
            ORDER BY commits.sequence \(ascending ? "ASC" : "DESC") LIMIT ?
            """
        return try rows(sql, arguments).map(commit)
    }

    func commits(set id: CommitID) throws -> [CommitRecord] {
        try rows("\(SQLRows.fromCommits) WHERE commits.id = ? ORDER BY commits.sequence", [SQLRows.blob(id)])
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
        return try rows(sql, [bound, limit]).map { (try SQLRows.commitID($0[0]), $0[1]) }
    }

    func name(of sequence: Int64) throws -> CommitName? {
        try row("\(SQLRows.fromCommitNames) WHERE commits.sequence = ?", [sequence]).map(Self.name)
    }

    func children(of sequence: Int64, limit: Int) throws -> [CommitName] {
        try rows(
            "\(SQLRows.fromCommitNames) WHERE commits.parent = ? ORDER BY commits.sequence LIMIT ?", [sequence, limit]
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
            FROM commit_provenance AS edge \(connection.words.orderedJoin) commits ON commits.sequence = edge."commit"
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

    private static func name(_ row: some SQLRow) throws -> CommitName {
        CommitName(key: try SQLRows.owner(row).commit(try SQLRows.commitID(row[3])), branch: row[4])
    }

    func lastSequence() throws -> Int64 {
        try connection.lastNumber(SQLNumbering(table: "commits", column: "sequence"))
    }

    func commitCount() throws -> Int64 { try row("SELECT COUNT(*) FROM commits")?[0] ?? 0 }

    func forEachRoot(_ body: (_ sequence: Int64, _ root: Root) throws -> Void) throws {
        let sql = """
            SELECT sequence, root_segment, root_slot, root_level, root_digest, files, bytes, layer FROM commits
            ORDER BY sequence
            """
        try connection.each(sql) { row in
            try body(row[0], try SQLRows.root(row, at: 1))
            guard let data: Data = row[7] else { return }
            let layer = try SQLRows.layer(data)
            try body(row[0], layer.content)
            try body(row[0], layer.deletions)
        }
    }

    private func commit(_ row: some SQLRow) throws -> CommitRecord {
        let sequence: Int64 = row[SQLRows.ownerColumns]
        let provenance = try integers(
            "SELECT upstream FROM commit_provenance WHERE \"commit\" = ? ORDER BY position", [sequence])
        return try SQLRows.commit(row, repo: try SQLRows.owner(row), provenance: provenance)
    }

    // MARK: Transactions

    func transactions() throws -> [TransactionRecord] {
        try rows("SELECT \(SQLRows.transactionColumns) FROM transactions ORDER BY started_at DESC, rowid DESC")
            .map(SQLRows.transaction)
    }

    func transaction(_ id: CommitID) throws -> TransactionRecord? {
        try row("SELECT \(SQLRows.transactionColumns) FROM transactions WHERE id = ?", [SQLRows.blob(id)])
            .map(SQLRows.transaction)
    }

    // MARK: Pipelines

    func pipelines(in projects: [ProjectKey]?) throws -> [PipelineRecord] {
        let filter = projects.map { " AND project IN (\(SQLWords.marks($0.count)))" } ?? ""
        return try rows(
            "SELECT \(SQLRows.pipelineColumns) FROM pipelines WHERE \(SQLRows.inForce)\(filter) ORDER BY project, name",
            (projects ?? []).map(\.name) as SQLArguments
        ).map(SQLRows.pipeline)
    }

    func pipeline(_ key: PipelineKey) throws -> PipelineRecord? {
        try row(
            """
            SELECT \(SQLRows.pipelineColumns) FROM pipelines
            WHERE project = ? AND name = ? ORDER BY version DESC LIMIT 1
            """,
            [key.project.name, key.name]
        ).map(SQLRows.pipeline)
    }

    func pipeline(_ key: PipelineKey, version: Int64) throws -> PipelineRecord? {
        try row(
            "SELECT \(SQLRows.pipelineColumns) FROM pipelines WHERE project = ? AND name = ? AND version = ?",
            [key.project.name, key.name, version]
        ).map(SQLRows.pipeline)
    }

    func busyPipelines(of kind: PipelineKind) throws -> [PipelineKey] {
        try rows(
            """
            SELECT project, name FROM pipelines WHERE \(SQLRows.inForce) AND kind = ? AND EXISTS (
                SELECT 1 FROM jobs WHERE live AND jobs.project = pipelines.project AND pipeline = pipelines.name)
            ORDER BY project, name
            """,
            [kind.rawValue]
        ).map { PipelineKey(project: ProjectKey($0[0]), name: $0[1]) }
    }

    func pipelineVersions(_ key: PipelineKey) throws -> [PipelineRecord] {
        try rows(
            "SELECT \(SQLRows.pipelineColumns) FROM pipelines WHERE project = ? AND name = ? ORDER BY version DESC",
            [key.project.name, key.name]
        ).map(SQLRows.pipeline)
    }

    func launch(_ key: PipelineKey) throws -> LaunchRecord? {
        try row(
            "SELECT \(SQLRows.launchColumns) FROM launches WHERE project = ? AND pipeline = ?",
            [key.project.name, key.name]
        ).map(SQLRows.launch)
    }

    func launches() throws -> [LaunchRecord] {
        try rows("SELECT \(SQLRows.launchColumns) FROM launches ORDER BY project, pipeline").map(SQLRows.launch)
    }

    func launch(tokenHash: Digest) throws -> LaunchRecord? {
        try row(
            "SELECT \(SQLRows.launchColumns) FROM launches WHERE token_hash = ?",
            [SQLRows.blob(tokenHash)]
        ).map(SQLRows.launch)
    }
}
