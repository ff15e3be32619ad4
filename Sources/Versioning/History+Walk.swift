import Core

/// Which way to follow provenance.
package enum WalkDirection: Sendable {
    /// To what a thing derives from.
    case provenance
    /// To what derives from it.
    case subvenance
}

/// How far a walk goes (`pfs.md` §4.3, §4.4).
package struct WalkBounds: Sendable {
    /// The most things that are told for each start.
    package let count: Int
    /// The most steps away from a start.
    package let depth: Int
    /// Whether `count` is the server's own bound rather than the caller's.
    let isCapped: Bool

    /// 0 stands for the defaults of the contract: 10,000 things, 1,000 steps.
    package init(count: UInt64 = 0, depth: UInt64 = 0) {
        self.count = count == 0 ? 10_000 : Int(min(count, UInt64(Limits.walkedMost)))
        self.depth = depth == 0 ? 1000 : Int(clamping: depth)
        isCapped = count > UInt64(Limits.walkedMost)
    }
}

extension History {
    /// Delivers the commits that those of `starts` derive from, or that derive from them: breadth first, each once for
    /// each start, the starts left out, one start after the other.
    ///
    /// Memory: 24 bytes or so for each commit that is told. Throws `notFound` before anything is delivered, and
    /// `resourceExhausted` after ``Limits/walkedMost`` commits where the caller had asked for more.
    package func walk(
        _ direction: WalkDirection, from starts: [CommitPicker], _ bounds: WalkBounds,
        _ deliver: (CommitView) async throws -> Void
    ) async throws {
        let starts = try read { catalog in try starts.map { try catalog.existingCommit($0).sequence } }
        for start in starts {
            try await walk(
                from: start, bounds,
                next: { try $0.relatives(of: $1, direction, beyond: $2, limit: $3) },
                view: { catalog, sequence in
                    guard let commit = try catalog.commit(sequence: sequence) else { return nil }
                    return try catalog.view(commit)
                }, deliver)
        }
    }

    /// The same for branches.
    package func walk(
        _ direction: WalkDirection, from starts: [BranchKey], _ bounds: WalkBounds,
        _ deliver: (BranchView) async throws -> Void
    ) async throws {
        let starts = try read { catalog in try starts.map { try catalog.existingBranch($0).id } }
        for start in starts {
            try await walk(
                from: start, bounds,
                next: { catalog, id, cursor, _ in
                    // All in one page: a branch has few relatives.
                    guard cursor == nil else { return [] }
                    guard direction == .provenance else { return try catalog.directSubvenance(branch: id) }
                    return try catalog.branch(id: id)?.provenance ?? []
                },
                view: { catalog, id in
                    guard let branch = try catalog.branch(id: id) else { return nil }
                    return try catalog.view(branch)
                }, deliver)
        }
    }

    /// One snapshot a page: what goes away in between is passed over.
    private func walk<View>(
        from start: Int64, _ bounds: WalkBounds,
        next: (any CatalogReader, _ id: Int64, _ cursor: Int64?, _ limit: Int) throws -> [Int64],
        view: (any CatalogReader, Int64) throws -> View?, _ deliver: (View) async throws -> Void
    ) async throws {
        var seen: Set<Int64> = [start]
        var queue = [(id: start, depth: 0)]
        var first = 0
        var left = bounds.count
        while first < queue.count, queue[first].depth < bounds.depth {
            let (id, depth) = queue[first]
            first += 1
            var cursor: Int64?
            while true {
                let (page, fresh) = try read { catalog in
                    let page = try next(catalog, id, cursor, Self.walkPage)
                    let fresh = page.filter { !seen.contains($0) }.prefix(left + (bounds.isCapped ? 1 : 0))
                    return (page, try fresh.map { ($0, try view(catalog, $0)) })
                }
                for (id, view) in fresh where seen.insert(id).inserted {
                    guard let view else { continue }
                    if left == 0 { throw Self.walkTooLong }
                    try await deliver(view)
                    queue.append((id, depth + 1))
                    left -= 1
                }
                if left == 0 && !bounds.isCapped { return }
                guard let last = page.last else { break }
                cursor = last
                try Task.checkCancellation()
            }
            if first >= 1024 && first * 2 >= queue.count {
                queue.removeFirst(first)
                first = 0
            }
        }
    }

    private static let walkPage = 200

    private static var walkTooLong: SpileError {
        SpileError(
            .resourceExhausted, "a walk of more than \(Limits.walkedMost) steps is cut off",
            remedy: "walk on from what was delivered")
    }
}

extension CatalogReader {
    /// Sequence numbers of the commits one step away: at most about `limit`, and none at the end.
    fileprivate func relatives(
        of sequence: Int64, _ direction: WalkDirection, beyond cursor: Int64?, limit: Int
    ) throws -> [Int64] {
        switch direction {
        case .subvenance: try derived(from: sequence, beyond: cursor, limit: limit)
        // All in one page: it stands in the row.
        case .provenance: cursor == nil ? try commit(sequence: sequence)?.provenance ?? [] : []
        }
    }
}
