import Core
import Foundation
import GRDB

/// Column values to records and back.
enum SQLiteRows {
    static func project(_ row: Row) throws -> ProjectRecord {
        ProjectRecord(
            id: row["id"], key: ProjectKey(row["name"]), description: row["description"],
            createdAt: Instant(nanoseconds: row["created_at"]), createdBy: row["created_by"],
            metadata: try Metadata.decode(row["metadata"]))
    }

    static func repoKey(_ row: Row) throws -> RepoKey {
        let type: String = row["type"]
        guard let known = RepoType(rawValue: type) else { throw SpileError.bug("repo type \(type) in the catalog") }
        return RepoKey(project: ProjectKey(row["project"]), name: row["name"], type: known)
    }

    static func repo(_ row: Row) throws -> RepoRecord {
        RepoRecord(
            id: row["id"], key: try repoKey(row), description: row["description"],
            createdAt: Instant(nanoseconds: row["created_at"]), metadata: try Metadata.decode(row["metadata"]))
    }

    static func branch(_ row: Row, repo: RepoKey, provenance: [Int64]) throws -> BranchRecord {
        BranchRecord(
            id: row["id"], repo: row["repo"], key: repo.branch(row["name"]), head: row["head"],
            provenance: provenance, createdAt: Instant(nanoseconds: row["created_at"]),
            updatedAt: Instant(nanoseconds: row["updated_at"]), createdBy: row["created_by"],
            metadata: try Metadata.decode(row["metadata"]))
    }

    static func commit(_ row: Row, repo: RepoKey, provenance: [Int64]) throws -> CommitRecord {
        let origin: Int = row["origin"]
        return CommitRecord(
            sequence: row["sequence"], repo: row["repo"], key: repo.commit(try commitID(row["id"])),
            branch: row["branch"], parent: row["parent"], provenance: provenance,
            origin: CommitOrigin(rawValue: origin) ?? .user, description: row["description"],
            started: Instant(nanoseconds: row["started"]), finishing: instant(row["finishing"]),
            finished: instant(row["finished"]), error: row["error"], root: try root(row),
            createdBy: row["created_by"], metadata: try Metadata.decode(row["metadata"]))
    }

    static func root(_ row: Row) throws -> Root {
        let digest: [UInt8] = Array(row["root_digest"] as Data)
        guard digest.count == Digest.byteCount else { throw SpileError.bug("root digest of \(digest.count) bytes") }
        let segment: Int64 = row["root_segment"]
        let slot: Int64 = row["root_slot"]
        let level: Int64 = row["root_level"]
        let files: Int64 = row["files"]
        let bytes: Int64 = row["bytes"]
        return Root(
            pointer: Pointer(segment: UInt64(bitPattern: segment), slot: UInt32(truncatingIfNeeded: slot)),
            digest: Digest(digest), level: UInt8(truncatingIfNeeded: level), files: UInt64(bitPattern: files),
            bytes: UInt64(bitPattern: bytes))
    }

    static func pipeline(_ row: Row) throws -> PipelineRecord {
        let kind: Int = row["kind"]
        let state: Int = row["state"]
        return PipelineRecord(
            key: PipelineKey(project: ProjectKey(row["project"]), name: row["name"]), version: row["version"],
            specCommit: try commitID(row["spec_commit"]), kind: PipelineKind(rawValue: kind) ?? .unknown,
            state: PipelineState(rawValue: state) ?? .unknown, reason: row["reason"], stopped: row["stopped"],
            parallelism: row["parallelism"], salt: row["salt"], userSpec: row["user_spec"],
            effectiveSpec: row["effective_spec"], createdAt: Instant(nanoseconds: row["created_at"]),
            updatedAt: Instant(nanoseconds: row["updated_at"]), createdBy: row["created_by"],
            workersStartedAt: instant(row["workers_started_at"]), metadata: try Metadata.decode(row["metadata"]))
    }

    static func launch(_ row: Row) throws -> LaunchRecord {
        LaunchRecord(
            pipeline: PipelineKey(project: ProjectKey(row["project"]), name: row["pipeline"]), epoch: row["epoch"],
            version: row["version"], tokenHash: Digest(Array(row["token_hash"] as Data)), handle: row["handle"],
            startedAt: Instant(nanoseconds: row["started_at"]), failures: row["failures"])
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
