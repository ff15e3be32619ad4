import Core
import Versioning

/// The datums of one job, as its meta commit tells of them (`pps.md` §9.5). Calls block on disk.
///
/// While the job runs nothing that it did can be read: there are the datums that it works on just now, and those of the
/// job that it begins with, which count as skipped until this one says otherwise. The same holds for a job that was
/// ended before its time.
package struct JobDatums: Sendable {
    private let job: JobKey
    private let meta: CommitKey
    private let records: DatumRecords
    /// Those that are worked on, by id.
    private let active: [JobProgress.Active]

    /// Opens the datums of a job for a caller who may read what went in and what came out (`clients.md` §3.3); code of
    /// a pipeline those of its own jobs. Throws `notFound` for no job, and `unknown` for one without a meta commit: a
    /// service's, or one whose commits were deleted.
    package init(of key: JobKey, in history: History, _ progress: JobProgress, as principal: Principal) throws {
        let meta = try history.read { catalog -> CommitRecord? in
            try Jobs.requireOwn(key.pipeline, by: principal)
            guard let job = try catalog.job(key) else { throw Jobs.missing(key) }
            let version = try catalog.pipeline(key.pipeline, version: job.version)
            try catalog.requireReader(of: key.pipeline, version.map { [$0] } ?? [], by: principal)
            return try catalog.metaCommit(of: key.pipeline.repo(.user).commit(key.id))
        }
        guard let meta else {
            throw SpileError.domain(
                "nothing is known of the datums of job \(key)",
                remedy: "only jobs of pipelines that transform keep them, for as long as their commits are there")
        }
        job = key
        self.meta = meta.key
        // Looked at before the commit: where that is open still, what was being worked on is not in it.
        let live = progress[key]?.active ?? [:]
        let files = try history.files(CommitHandle(meta.key))
        records = DatumRecords(files)
        active = files.commit.isOpen ? live.values.sorted { $0.datum < $1.datum } : []
    }

    /// A datum by the text of its id. Throws `datum … not found in job …`.
    package func datum(_ text: String) throws -> DatumView {
        guard let id = Digest(hex: text) else { throw missing(text) }
        if let active = active.first(where: { $0.datum == id }) { return view(active) }
        guard let record = try records.record(of: id) else { throw missing(text) }
        return view(record)
    }

    private func missing(_ text: String) -> SpileError {
        .domain("datum \(text) not found in job \(job)", remedy: "list datum shows those that there are")
    }

    /// Hands on datums in the order of their ids, one after the other.
    package func list(_ listing: DatumListing, _ body: (DatumView) async throws -> Void) async throws {
        var left = listing.number == 0 ? Int64.max : listing.number
        try await each(after: listing.marker, isReverse: listing.isReverse) { datum in
            guard listing.holds(datum) else { return true }
            try await body(datum)
            left -= 1
            return left > 0
        }
    }

    /// Datums that are worked on stand where their records will.
    private func each(
        after marker: Digest?, isReverse: Bool, _ body: (DatumView) async throws -> Bool
    ) async throws {
        func isBefore(_ a: Digest, _ b: Digest) -> Bool { isReverse ? b < a : a < b }
        var rest = (isReverse ? active.reversed() : active)
            .filter { active in marker.map { isBefore($0, active.datum) } ?? true }[...]
        var goesOn = true
        try await records.each(after: marker, isReverse: isReverse) { id in
            try Task.checkCancellation()
            while goesOn, let next = rest.first, isBefore(next.datum, id) {
                goesOn = try await body(view(rest.removeFirst()))
            }
            guard goesOn else { return false }
            if rest.first?.datum == id {
                goesOn = try await body(view(rest.removeFirst()))
            } else if let record = try records.record(of: id) {
                goesOn = try await body(view(record))
            }
            return goesOn
        }
        while goesOn, let next = rest.popFirst() { goesOn = try await body(view(next)) }
    }

    private func view(_ record: DatumRecord) -> DatumView {
        DatumView(
            id: record.id, job: record.job, state: record.job == job ? record.state.seen : .skipped,
            stats: record.stats, inputs: record.inputs, meta: meta)
    }

    private func inputs(of active: JobProgress.Active) -> [DatumRecord.Input] {
        active.files.map { DatumRecord.Input($0, commit: active.commits[$0.input.index] ?? job.id) }
    }

    private func view(_ active: JobProgress.Active) -> DatumView {
        DatumView(
            id: active.datum, job: job, state: .starting, stats: DatumStats(), inputs: inputs(of: active), meta: meta)
    }
}

extension DatumRecord.State {
    fileprivate var seen: DatumView.State {
        switch self {
        case .processed: .success
        case .failed: .failed
        case .recovered: .recovered
        }
    }
}
