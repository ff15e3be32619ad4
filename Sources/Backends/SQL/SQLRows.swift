import Core
import Foundation

/// Column values to records and back. Columns are read by their places: a look-up by name costs more than the value.
enum SQLRows {
    static let projectColumns = "id, name, description, created_at, created_by, metadata"

    static func project(_ row: some SQLRow) throws -> ProjectRecord {
        ProjectRecord(
            id: row[0], key: ProjectKey(row[1]), description: row[2], createdAt: Instant(nanoseconds: row[3]),
            createdBy: row[4], metadata: try Metadata.decode(row[5]))
    }

    /// Begin as ``owner(_:)`` wants it.
    static let repoColumns = "project, name, type, id, description, created_at, metadata"

    static func repo(_ row: some SQLRow) throws -> RepoRecord {
        RepoRecord(
            id: row[3], key: try owner(row), description: row[4], createdAt: Instant(nanoseconds: row[5]),
            metadata: try Metadata.decode(row[6]))
    }

    /// How many columns of the owning repo stand before a branch's or commit's own: project, name, type.
    static let ownerColumns = 3

    static func owner(_ row: some SQLRow) throws -> RepoKey {
        let type: String = row[2]
        guard let known = RepoType(rawValue: type) else { throw SpileError.bug("repo type \(type) in the catalog") }
        return RepoKey(project: ProjectKey(row[0]), name: row[1], type: known)
    }

    static let branchColumns = """
        branches.id, branches.repo, branches.name, branches.head, branches.created_at, branches.updated_at,
        branches.created_by, branches.metadata, branches.trigger
        """

    static func branch(
        _ row: some SQLRow, repo: RepoKey, provenance: [Int64], quiet: Set<Int64>
    ) throws -> BranchRecord {
        let first = ownerColumns
        return BranchRecord(
            id: row[first], repo: row[first + 1], key: repo.branch(row[first + 2]), head: row[first + 3],
            provenance: provenance, quiet: quiet, trigger: try trigger(row[first + 8]),
            createdAt: Instant(nanoseconds: row[first + 4]), updatedAt: Instant(nanoseconds: row[first + 5]),
            createdBy: row[first + 6],
            metadata: try Metadata.decode(row[first + 7]))
    }

    static let commitColumns = """
        commits.sequence, commits.repo, commits.id, commits.branch, commits.parent, commits.origin,
        commits.description, commits.started, commits.finishing, commits.finished, commits.error,
        commits.created_by, commits.metadata, commits.root_segment, commits.root_slot, commits.root_level,
        commits.root_digest, commits.files, commits.bytes, commits.layer, commits.forgotten, commits.shortcut
        """

    static func commit(_ row: some SQLRow, repo: RepoKey, provenance: [Int64]) throws -> CommitRecord {
        let first = ownerColumns
        let origin: Int = row[first + 5]
        return CommitRecord(
            sequence: row[first], repo: row[first + 1], key: repo.commit(try commitID(row[first + 2])),
            branch: row[first + 3], parent: row[first + 4], provenance: provenance,
            origin: CommitOrigin(rawValue: origin) ?? .user, description: row[first + 6],
            started: Instant(nanoseconds: row[first + 7]), finishing: instant(row[first + 8]),
            finished: instant(row[first + 9]), error: row[first + 10],
            shortcut: row[first + 21], root: try root(row, at: first + 13),
            layer: try (row[first + 19] as Data?).map(layer), isForgotten: row[first + 20], createdBy: row[first + 11],
            metadata: try Metadata.decode(row[first + 12]))
    }

    /// Segment, slot, level, digest, files and bytes, in this order from column `first` on.
    static func root(_ row: some SQLRow, at first: Int) throws -> Root {
        let digest: Data = row[first + 3]
        guard digest.count == Digest.byteCount else { throw SpileError.bug("root digest of \(digest.count) bytes") }
        let segment: Int64 = row[first]
        let slot: Int64 = row[first + 1]
        let level: Int64 = row[first + 2]
        let files: Int64 = row[first + 4]
        let bytes: Int64 = row[first + 5]
        return Root(
            pointer: Pointer(segment: UInt64(bitPattern: segment), slot: UInt32(truncatingIfNeeded: slot)),
            digest: digest.withUnsafeBytes { Digest($0) }, level: UInt8(truncatingIfNeeded: level),
            files: UInt64(bitPattern: files), bytes: UInt64(bitPattern: bytes))
    }

    // MARK: Triggers and layers

    static func text(_ trigger: BranchTrigger) throws -> String {
        try Metadata.encode([
            "branch": trigger.branch, "all": trigger.all ? "1" : "", "rate_limit": trigger.rateLimit,
            "size": trigger.size, "commits": String(trigger.commits), "cron": trigger.cron,
        ])
    }

    static func trigger(_ text: String?) throws -> BranchTrigger? {
        guard let text else { return nil }
        let fields = try Metadata.decode(text)
        return BranchTrigger(
            branch: fields["branch"] ?? "", all: fields["all"] == "1", rateLimit: fields["rate_limit"] ?? "",
            size: fields["size"] ?? "", commits: fields["commits"].flatMap(Int64.init) ?? 0,
            cron: fields["cron"] ?? "")
    }

    /// Segment (8), slot (4), level (1), digest (32), files (8), bytes (8), big-endian.
    static func blob(_ root: Root) -> Data {
        var data = Data(capacity: 61)
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { data.append(contentsOf: $0) }
        }
        append(root.pointer.segment)
        append(root.pointer.slot)
        append(root.level)
        data.append(contentsOf: root.digest.bytes)
        append(root.files)
        append(root.bytes)
        return data
    }

    static func blob(_ layer: CommitLayer) -> Data { blob(layer.content) + blob(layer.deletions) }

    static func layer(_ data: Data) throws -> CommitLayer {
        CommitLayer(content: try root(data.prefix(61)), deletions: try root(data.dropFirst(61)))
    }

    static func root(_ data: Data) throws -> Root {
        guard data.count == 61 else { throw SpileError.bug("a root of \(data.count) bytes") }
        return data.withUnsafeBytes { buffer in
            func word<Word: FixedWidthInteger>(_ at: Int, _ type: Word.Type) -> Word {
                Word(bigEndian: buffer.loadUnaligned(fromByteOffset: at, as: Word.self))
            }
            return Root(
                pointer: Pointer(segment: word(0, UInt64.self), slot: word(8, UInt32.self)),
                digest: Digest(buffer, at: 13), level: buffer[12], files: word(45, UInt64.self),
                bytes: word(53, UInt64.self))
        }
    }

    static let transactionColumns = "id, started_at, requests, responses, owner"

    static func transaction(_ row: some SQLRow) throws -> TransactionRecord {
        TransactionRecord(
            id: try commitID(row[0]), startedAt: Instant(nanoseconds: row[1]), requests: Array(row[2] as Data),
            responses: Array(row[3] as Data), owner: row[4])
    }

    static let pipelineColumns = """
        project, name, version, spec_commit, kind, state, reason, stopped, parallelism, salt, user_spec,
        effective_spec, created_at, updated_at, created_by, workers_started_at, metadata
        """

    static func pipeline(_ row: some SQLRow) throws -> PipelineRecord {
        let kind: Int = row[4]
        let state: Int = row[5]
        return PipelineRecord(
            key: PipelineKey(project: ProjectKey(row[0]), name: row[1]), version: row[2],
            specCommit: try commitID(row[3]), kind: PipelineKind(rawValue: kind) ?? .unknown,
            state: PipelineState(rawValue: state) ?? .unknown, reason: row[6], stopped: row[7],
            parallelism: row[8], salt: row[9], userSpec: row[10], effectiveSpec: row[11],
            createdAt: Instant(nanoseconds: row[12]), updatedAt: Instant(nanoseconds: row[13]), createdBy: row[14],
            workersStartedAt: instant(row[15]), metadata: try Metadata.decode(row[16]))
    }

    static let launchColumns = "project, pipeline, epoch, version, token_hash, handle, started_at, failures"

    static func launch(_ row: some SQLRow) throws -> LaunchRecord {
        LaunchRecord(
            pipeline: PipelineKey(project: ProjectKey(row[0]), name: row[1]), epoch: row[2], version: row[3],
            tokenHash: Digest(Array(row[4] as Data)), handle: row[5], startedAt: Instant(nanoseconds: row[6]),
            failures: row[7])
    }

    static func instant(_ nanoseconds: Int64?) -> Instant? { nanoseconds.map(Instant.init(nanoseconds:)) }

    static func commitID(_ data: Data) throws -> CommitID {
        guard data.count == 16 else { throw SpileError.bug("commit id of \(data.count) bytes") }
        var words: (UInt64, UInt64) = (0, 0)
        for (index, byte) in data.enumerated() {
            if index < 8 { words.0 = words.0 << 8 | UInt64(byte) } else { words.1 = words.1 << 8 | UInt64(byte) }
        }
        return CommitID(high: words.0, low: words.1)
    }

    static func blob(_ id: CommitID) -> Data {
        var data = Data(capacity: 16)
        for word in [id.high, id.low] {
            for shift in stride(from: 56, through: 0, by: -8) { data.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        return data
    }

    static func blob(_ digest: Digest) -> Data { Data(digest.bytes) }
}

// MARK: Beginnings of statements

extension SQLRows {
    static let fromBranches = """
        SELECT repos.project, repos.name, repos.type, \(branchColumns)
        FROM branches JOIN repos ON repos.id = branches.repo
        """

    static let fromCommits = """
        SELECT repos.project, repos.name, repos.type, \(commitColumns)
        FROM commits JOIN repos ON repos.id = commits.repo
        """

    static let fromCommitNames = """
        SELECT repos.project, repos.name, repos.type, commits.id, branches.name
        FROM commits JOIN repos ON repos.id = commits.repo LEFT JOIN branches ON branches.id = commits.branch
        """

    /// The condition that a row of `pipelines` is the newest version.
    static let inForce = """
        version = (SELECT MAX(version) FROM pipelines AS other
                   WHERE other.project = pipelines.project AND other.name = pipelines.name)
        """
}
