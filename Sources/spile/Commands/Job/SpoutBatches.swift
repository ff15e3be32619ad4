import API
import Core
import GRPCCore

/// A run of a spout's commits, newest first: a spout has no jobs, so that its commits stand for its work, those close
/// in time in one row.
struct SpoutBatch: Equatable, Sendable {
    /// A pause of so many seconds ends a batch, and so does its length.
    static let longestPause: Int64 = 10
    static let longest: Int64 = 60

    /// Ids; the last is the newest.
    var first: String
    var last: String
    var commits = 1
    /// Of those, how many are in error.
    var errors: Int
    /// By how many bytes the branch has grown; less than nothing where it has shrunk.
    var bytes: Int64
    /// Seconds since 1970 at which its first commit was begun and its last one was finished; nil while that is open.
    var started: Int64
    var finished: Int64?
    /// What the branch held with its last commit.
    private let lastBytes: Int64

    init(_ info: PfsV2_CommitInfo) {
        first = info.commit.id
        last = info.commit.id
        errors = info.error.isEmpty ? 0 : 1
        started = info.started.seconds
        finished = info.hasFinished ? info.finished.seconds : nil
        lastBytes = info.sizeBytesUpperBound
        bytes = 0
    }

    /// Takes in the commit before its first one; false if that belongs to another batch.
    fileprivate mutating func takeIn(_ info: PfsV2_CommitInfo) -> Bool {
        let begun = info.started.seconds
        guard started - begun <= Self.longestPause, (finished ?? started) - begun <= Self.longest else { return false }
        first = info.commit.id
        commits += 1
        errors += info.error.isEmpty ? 0 : 1
        started = begun
        return true
    }

    /// Settles its bytes by what the branch held before it.
    fileprivate mutating func settle(before: Int64) { bytes = lastBytes - before }
}

/// Makes batches of commits that come newest first.
struct SpoutBatches {
    private var current: SpoutBatch?

    /// The batch that is complete with this commit, which is not part of it.
    mutating func add(_ info: PfsV2_CommitInfo) -> SpoutBatch? {
        if current?.takeIn(info) == true { return nil }
        var done = current
        done?.settle(before: info.sizeBytesUpperBound)
        current = SpoutBatch(info)
        return done
    }

    /// The last one: before it the branch was empty.
    mutating func finish() -> SpoutBatch? {
        current?.settle(before: 0)
        defer { current = nil }
        return current
    }
}

extension SpoutBatch {
    static let header = "PROJECT|PIPELINE|COMMITS|BYTES|STARTED|DURATION|NEWEST COMMIT|STATE"

    func row(of pipeline: PpsV2_Pipeline, _ style: TimeStyle) -> [String] {
        let sign = bytes < 0 ? "-" : ""
        let state = finished == nil ? "running" : errors == 0 ? "success" : "\(errors) in error"
        return [
            pipeline.project.name, pipeline.name, String(commits), sign + formatSize(Int64(clamping: bytes.magnitude)),
            style.text(Instant(seconds: started)), formatSpan(seconds: (finished ?? style.now.seconds) - started), last,
            state,
        ]
    }

    /// One object of JSON.
    func json(of pipeline: PpsV2_Pipeline) -> JSON {
        func text(_ seconds: Int64) -> JSON { .string(SpecTimestamp.format(Core.Instant(seconds: seconds))) }
        var members: [(String, JSON)] = [
            ("project", .string(pipeline.project.name)), ("pipeline", .string(pipeline.name)),
            ("commits", .number(String(commits))), ("errors", .number(String(errors))),
            ("bytes", .number(String(bytes))), ("first_commit", .string(first)), ("last_commit", .string(last)),
            ("started", text(started)),
        ]
        if let finished { members.append(("finished", text(finished))) }
        return .object(members.map { JSON.Member(key: $0.0, value: $0.1) })
    }

    /// Prints the batches of a spout's commits, newest first.
    static func show(
        _ info: PpsV2_PipelineInfo, _ session: Session, raw: RawOutput?, _ style: TimeStyle
    ) async throws {
        let branch = info.details.outputBranch.isEmpty ? "master" : info.details.outputBranch
        let repo = PfsV2_Repo.with {
            $0.name = info.pipeline.name
            $0.type = "user"
            $0.project.name = info.pipeline.project.name
        }
        let request = PfsV2_ListCommitRequest.with {
            $0.repo = repo
            $0.to.repo = repo
            $0.to.branch.repo = repo
            $0.to.branch.name = branch
            $0.originKind = .user
        }
        let pipeline = info.pipeline
        try await session.pfs.listCommit(request) { response in
            var batches = SpoutBatches()
            var table = Table(header)
            var count = 0
            func add(_ batch: SpoutBatch?) throws {
                guard let batch else { return }
                if let raw {
                    try Console.write(try raw.text(batch.json(of: pipeline), isFirst: count == 0))
                } else {
                    try table.add(batch.row(of: pipeline, style))
                }
                count += 1
            }
            for try await message in response.messages { try add(batches.add(message)) }
            try add(batches.finish())
            if raw == nil { try table.flush() }
        }
    }
}
