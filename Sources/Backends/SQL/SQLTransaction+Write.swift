import Core
import Foundation

extension SQLTransaction: CatalogWriter {
    @discardableResult func run(_ sql: String, _ arguments: SQLArguments = []) throws -> Int {
        try connection.run(sql, arguments)
    }

    func savepoint<Result>(_ body: () throws -> Result) throws -> Result { try connection.savepoint(body) }

    func setSetting(_ name: String, to value: String?) throws {
        if let value {
            try run(
                """
                INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
                """,
                [name, value])
        } else {
            try run("DELETE FROM settings WHERE name = ?", [name])
        }
    }

    // MARK: Projects and repos

    func insert(_ project: ProjectRecord) throws -> Int64 {
        try connection.insert(
            into: SQLNumbering(table: "projects", column: "id"),
            "name, description, created_at, created_by, metadata",
            [
                project.key.name, project.description, project.createdAt.nanoseconds, project.createdBy,
                try Metadata.encode(project.metadata),
            ])
    }

    func update(_ project: ProjectRecord) throws {
        try run(
            "UPDATE projects SET description = ?, metadata = ? WHERE id = ?",
            [project.description, try Metadata.encode(project.metadata), project.id])
    }

    func deleteProject(id: Int64) throws { try run("DELETE FROM projects WHERE id = ?", [id]) }

    func insert(_ repo: RepoRecord) throws -> Int64 {
        try connection.insert(
            into: SQLNumbering(table: "repos", column: "id"),
            "project, name, type, description, created_at, metadata",
            [
                repo.key.project.name, repo.key.name, repo.key.type.rawValue, repo.description,
                repo.createdAt.nanoseconds, try Metadata.encode(repo.metadata),
            ])
    }

    func update(_ repo: RepoRecord) throws {
        try run(
            "UPDATE repos SET description = ?, metadata = ? WHERE id = ?",
            [repo.description, try Metadata.encode(repo.metadata), repo.id])
    }

    func deleteRepo(id: Int64) throws { try run("DELETE FROM repos WHERE id = ?", [id]) }

    // MARK: Branches

    func insert(_ branch: BranchRecord) throws -> Int64 {
        let id = try connection.insert(
            into: SQLNumbering(table: "branches", column: "id"),
            "repo, name, head, created_at, updated_at, created_by, metadata, trigger",
            [
                branch.repo, branch.key.name, branch.head, branch.createdAt.nanoseconds,
                branch.updatedAt.nanoseconds, branch.createdBy, try Metadata.encode(branch.metadata),
                try branch.trigger.map(SQLRows.text),
            ])
        try insertProvenance(of: id, branch)
        return id
    }

    func update(_ branch: BranchRecord) throws {
        try run(
            "UPDATE branches SET head = ?, updated_at = ?, metadata = ?, trigger = ? WHERE id = ?",
            [
                branch.head, branch.updatedAt.nanoseconds, try Metadata.encode(branch.metadata),
                try branch.trigger.map(SQLRows.text), branch.id,
            ])
        try run("DELETE FROM branch_provenance WHERE branch = ?", [branch.id])
        try insertProvenance(of: branch.id, branch)
    }

    private func insertProvenance(of id: Int64, _ branch: BranchRecord) throws {
        for (position, upstream) in branch.provenance.enumerated() {
            try run(
                "INSERT INTO branch_provenance (branch, position, upstream, quiet) VALUES (?, ?, ?, ?)",
                [id, position, upstream, branch.quiet.contains(upstream)])
        }
    }

    func setHead(branch id: Int64, to sequence: Int64, at instant: Instant) throws {
        try run(
            "UPDATE branches SET head = ?, updated_at = ? WHERE id = ?", [sequence, instant.nanoseconds, id])
    }

    func deleteBranch(id: Int64) throws {
        try run(
            "UPDATE commits SET branch = NULL WHERE repo = (SELECT repo FROM branches WHERE id = ?) AND branch = ?",
            [id, id])
        try run("DELETE FROM branches WHERE id = ?", [id])
    }

    // MARK: Commits

    func insert(_ commit: CommitRecord) throws -> Int64 {
        let sequence = try connection.insert(
            into: SQLNumbering(table: "commits", column: "sequence"),
            """
            repo, id, branch, parent, origin, description, started, finishing, finished, error, \
            root_segment, root_slot, root_level, root_digest, files, bytes, created_by, metadata, layer, \
            forgotten, shortcut
            """,
            [
                commit.repo, SQLRows.blob(commit.key.id), commit.branch, commit.parent, commit.origin.rawValue,
                commit.description, commit.started.nanoseconds, commit.finishing?.nanoseconds,
                commit.finished?.nanoseconds, commit.error, Int64(bitPattern: commit.root.pointer.segment),
                Int64(commit.root.pointer.slot), Int64(commit.root.level), SQLRows.blob(commit.root.digest),
                Int64(bitPattern: commit.root.files), Int64(bitPattern: commit.root.bytes), commit.createdBy,
                try Metadata.encode(commit.metadata), commit.layer.map(SQLRows.blob), commit.isForgotten,
                commit.shortcut,
            ])
        try insertProvenance(commit: sequence, commit.provenance)
        return sequence
    }

    func setProvenance(commit sequence: Int64, to upstream: [Int64]) throws {
        try run("DELETE FROM commit_provenance WHERE \"commit\" = ?", [sequence])
        try insertProvenance(commit: sequence, upstream)
    }

    private func insertProvenance(commit sequence: Int64, _ upstream: [Int64]) throws {
        for (position, upstream) in upstream.enumerated() {
            try run(
                "INSERT INTO commit_provenance (\"commit\", position, upstream) VALUES (?, ?, ?)",
                [sequence, position, upstream])
        }
    }

    func update(_ commit: CommitRecord) throws {
        try run(
            """
            UPDATE commits SET parent = ?, description = ?, finishing = ?, finished = ?, error = ?, root_segment = ?,
                root_slot = ?, root_level = ?, root_digest = ?, files = ?, bytes = ?, metadata = ?, layer = ?,
                forgotten = ?, shortcut = ?
            WHERE sequence = ?
            """,
            [
                commit.parent, commit.description, commit.finishing?.nanoseconds, commit.finished?.nanoseconds,
                commit.error, Int64(bitPattern: commit.root.pointer.segment), Int64(commit.root.pointer.slot),
                Int64(commit.root.level), SQLRows.blob(commit.root.digest), Int64(bitPattern: commit.root.files),
                Int64(bitPattern: commit.root.bytes), try Metadata.encode(commit.metadata),
                commit.layer.map(SQLRows.blob), commit.isForgotten, commit.shortcut, commit.sequence,
            ])
    }

    func deleteCommit(sequence: Int64) throws { try run("DELETE FROM commits WHERE sequence = ?", [sequence]) }

    // MARK: Transactions

    func put(_ transaction: TransactionRecord) throws {
        try run(
            """
            INSERT INTO transactions (id, started_at, requests, responses, owner) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET requests = excluded.requests, responses = excluded.responses
            """,
            [
                SQLRows.blob(transaction.id), transaction.startedAt.nanoseconds, Data(transaction.requests),
                Data(transaction.responses), transaction.owner,
            ])
    }

    func deleteTransaction(_ id: CommitID) throws {
        try run("DELETE FROM transactions WHERE id = ?", [SQLRows.blob(id)])
    }

    func deleteTransactions() throws { try run("DELETE FROM transactions") }

    // MARK: Pipelines

    func put(_ pipeline: PipelineRecord) throws {
        try run(
            """
            INSERT INTO pipelines (project, name, version, spec_commit, kind, state, reason, stopped,
                parallelism, salt, user_spec, effective_spec, created_at, updated_at, created_by, workers_started_at,
                metadata)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (project, name, version) DO UPDATE SET spec_commit = excluded.spec_commit,
                kind = excluded.kind, state = excluded.state, reason = excluded.reason, stopped = excluded.stopped,
                parallelism = excluded.parallelism, salt = excluded.salt, user_spec = excluded.user_spec,
                effective_spec = excluded.effective_spec, created_at = excluded.created_at,
                updated_at = excluded.updated_at, created_by = excluded.created_by,
                workers_started_at = excluded.workers_started_at, metadata = excluded.metadata
            """,
            [
                pipeline.key.project.name, pipeline.key.name, pipeline.version, SQLRows.blob(pipeline.specCommit),
                pipeline.kind.rawValue, pipeline.state.rawValue, pipeline.reason, pipeline.stopped,
                pipeline.parallelism, pipeline.salt, pipeline.userSpec, pipeline.effectiveSpec,
                pipeline.createdAt.nanoseconds, pipeline.updatedAt.nanoseconds, pipeline.createdBy,
                pipeline.workersStartedAt?.nanoseconds, try Metadata.encode(pipeline.metadata),
            ])
    }

    func deletePipeline(_ key: PipelineKey) throws {
        try run("DELETE FROM pipelines WHERE project = ? AND name = ?", [key.project.name, key.name])
        try run("DELETE FROM jobs WHERE project = ? AND pipeline = ?", [key.project.name, key.name])
        try deleteLaunch(key)
    }

    func put(_ launch: LaunchRecord) throws {
        try run(
            """
            INSERT INTO launches (project, pipeline, epoch, version, token_hash, handle, started_at,
                failures)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (project, pipeline) DO UPDATE SET epoch = excluded.epoch, version = excluded.version,
                token_hash = excluded.token_hash, handle = excluded.handle, started_at = excluded.started_at,
                failures = excluded.failures
            """,
            [
                launch.pipeline.project.name, launch.pipeline.name, launch.epoch, launch.version,
                SQLRows.blob(launch.tokenHash), launch.handle, launch.startedAt.nanoseconds, launch.failures,
            ])
    }

    func deleteLaunch(_ key: PipelineKey) throws {
        try run("DELETE FROM launches WHERE project = ? AND pipeline = ?", [key.project.name, key.name])
    }
}
