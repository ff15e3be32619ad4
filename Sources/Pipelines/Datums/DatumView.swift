import Core

/// A datum as callers are told of it (`pps.md` §11).
package struct DatumView: Sendable {
    /// Numbered as on the wire.
    package enum State: Int, Sendable {
        /// It is in no job.
        case unknown = 0
        case failed = 1
        case success = 2
        /// An earlier job worked on it, and this one took that over.
        case skipped = 3
        /// It is being worked on.
        case starting = 4
        case recovered = 5
    }

    package var id: Digest
    /// The job that worked on it, or does; for one that was skipped an earlier one. Nil outside of jobs.
    package var job: JobKey?
    package var state: State
    package var stats: DatumStats
    /// What it is made of.
    package var inputs: [DatumRecord.Input]
    /// The commit that holds what its code saw and left (``DatumRecord/filesFolder(of:)``); nil outside of jobs.
    package var meta: CommitKey?
}

/// Which datums a listing gives, and in which order.
package struct DatumListing: Sendable {
    /// Only datums in one of these states; empty for all.
    package let states: Set<DatumView.State>
    /// Only datums after this one (before it, where the last come first).
    package let marker: Digest?
    /// So many at most; 0 for all.
    package let number: Int64
    package let isReverse: Bool

    /// Throws `invalidArgument` for a marker that is no id, and for a reverse listing without a number.
    package init(
        states: Set<DatumView.State> = [], marker: String = "", number: Int64 = 0, isReverse: Bool = false
    ) throws(SpileError) {
        if number < 0 { throw .invalid("number must not be negative") }
        if isReverse && number == 0 { throw .invalid("number must be > 0 when reverse is set") }
        let id = Digest(hex: marker)
        if id == nil && !marker.isEmpty {
            throw .invalid(
                "paginationMarker \"\(marker)\" is not the id of a datum", remedy: "give the last id you got")
        }
        self.states = states
        self.marker = id
        self.number = number
        self.isReverse = isReverse
    }

    func holds(_ datum: DatumView) -> Bool { states.isEmpty || states.contains(datum.state) }
}

extension DatumRecord.Input {
    init(_ file: InputFile, commit: CommitID) {
        let leaf = file.input.leaf
        self.init(
            name: leaf.name, branch: leaf.branch, commit: commit, path: file.path, digest: file.digest,
            size: file.size, joinOn: file.joinKey, groupBy: file.groupKey, isOuter: leaf.isOuter,
            isLazy: leaf.isLazy, emptyFiles: leaf.emptyFiles)
    }
}
