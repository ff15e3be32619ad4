import Core
import Versioning

/// The datums that an input makes of the heads of its branches, before there is a pipeline. Calls block on disk.
package struct InputDatums: Sendable {
    private let plan: DatumPlan
    private let source: CommitSource
    private let commits: [CommitID]

    /// So many are held for a listing that begins at the end.
    private static let mostHeld: Int64 = 10_000

    /// Finds the commits: of each input the one that it names, else the head of its branch, open or not.
    ///
    /// Throws `unknown` for an input that no pipeline could have and for one with a schedule, `notFound` where a repo,
    /// branch or commit is missing. Whether the caller may read the repos is checked before.
    package init(_ input: JSONValue, in history: History) throws {
        let tree = try Self.tree(input)
        plan = try DatumPlan(tree)
        let files = try plan.inputs.map { input in
            let branch = input.leaf.branch
            return try history.files(
                CommitHandle(repo: branch.repo, branch: branch.name, id: input.leaf.commit ?? ""))
        }
        source = CommitSource(files)
        commits = files.map(\.commit.key.id)
    }

    private static func tree(_ json: JSONValue) throws(SpileError) -> InputTree {
        let spec = InputSpec(json)
        let tree = try InputTree(spec, of: PipelineKey(name: ""))
        if tree.leaves.contains(where: { $0.schedule != nil }) {
            throw .domain(
                "can't list datums with a cron input", remedy: "there are none before the pipeline is created")
        }
        try spec.check()
        return tree
    }

    /// Hands on all datums, each as it is found, in an order that the same commits always give, until `body` gives
    /// false.
    package func each(_ body: (DatumView) async throws -> Bool) async throws {
        try await plan.datums(in: source) { datum in
            try Task.checkCancellation()
            return try await body(view(datum))
        }
    }

    /// The same by pages. One that begins at the end holds what it gives. Throws `notFound` for a marker that does not
    /// come up: the branches have moved on.
    package func list(_ listing: DatumListing, _ body: (DatumView) async throws -> Void) async throws {
        if listing.isReverse { return try await listBackward(listing, body) }
        var left = listing.number == 0 ? Int64.max : listing.number
        var hasBegun = listing.marker == nil
        try await each { datum in
            guard hasBegun else {
                hasBegun = datum.id == listing.marker
                return true
            }
            guard listing.holds(datum) else { return true }
            try await body(datum)
            left -= 1
            return left > 0
        }
        if !hasBegun { throw Self.missing(listing) }
    }

    private func listBackward(_ listing: DatumListing, _ body: (DatumView) async throws -> Void) async throws {
        guard listing.number <= Self.mostHeld else {
            throw SpileError.invalid("number must be at most \(Self.mostHeld) when reverse is set with an input")
        }
        var last: [DatumView] = []
        var next = 0
        var hasMet = listing.marker == nil
        try await each { datum in
            if datum.id == listing.marker {
                hasMet = true
                return false
            }
            guard listing.holds(datum) else { return true }
            if last.count < Int(listing.number) { last.append(datum) } else { last[next] = datum }
            next = (next + 1) % Int(listing.number)
            return true
        }
        if !hasMet { throw Self.missing(listing) }
        let isFull = last.count == Int(listing.number)
        let inOrder = isFull ? last[next...] + last[..<next] : last[...]
        for datum in inOrder.reversed() { try await body(datum) }
    }

    private static func missing(_ listing: DatumListing) -> SpileError {
        .notFound(
            "datum \(listing.marker.map { "\($0)" } ?? "") not found among those of the input",
            remedy: "its branches may have moved on: begin again without a paginationMarker")
    }

    private func view(_ datum: Datum) -> DatumView {
        DatumView(
            id: datum.id, state: .unknown, stats: DatumStats(),
            inputs: datum.files.map { DatumRecord.Input($0, commit: commits[$0.input.index]) })
    }
}
