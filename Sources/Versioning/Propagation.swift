import Core

/// How a new head has consequences in the branches that derive from it (`pfs.md` §2.3, §2.4).
extension HistoryTransaction {
    /// Checks the branches whose provenance changed and all that derive from them: none may see two branches of one
    /// repo.
    func checkGraph() throws {
        guard !derivedAnew.isEmpty else { return }
        var affected = derivedAnew
        for id in derivedAnew { affected.formUnion(try reachable(from: id)) }
        for id in affected.sorted() {
            guard let branch = try catalog.branch(id: id) else { continue }
            var seen: [Int64: BranchRecord] = [branch.repo: branch]
            for other in try ancestry(of: branch) {
                guard let known = seen.updateValue(other, forKey: other.repo), known.id != other.id else { continue }
                throw SpileError.domain(
                    "multiple branches from the same repo, \"\(other.key.repo)\", cannot participate in a DAG",
                    remedy: "\(branch.key) would derive from both \(known.key.name) and \(other.key.name)")
            }
        }
    }

    /// All that a branch derives from, itself left out.
    private func ancestry(of branch: BranchRecord) throws -> [BranchRecord] {
        var result: [BranchRecord] = []
        var seen: Set<Int64> = [branch.id]
        var queue = branch.provenance
        while let id = queue.popLast() {
            guard seen.insert(id).inserted, let record = try catalog.branch(id: id) else { continue }
            result.append(record)
            queue += record.provenance
        }
        return result
    }

    /// Ids of all branches that derive from one, itself left out.
    func reachable(from id: Int64) throws -> Set<Int64> {
        var seen: Set<Int64> = []
        var queue = [id]
        while let next = queue.popLast() {
            for branch in try catalog.directSubvenance(branch: next) where seen.insert(branch).inserted {
                queue.append(branch)
            }
        }
        return seen
    }

    /// Opens one commit of this set on every branch downstream of a head that moved.
    func propagate() throws {
        let starts = moved.filter { heads.entry($0.value)?.isLeaf != true }.map(\.key)
        guard !starts.isEmpty else { return }
        for branch in try downstream(of: starts) { try openDownstream(branch) }
    }

    /// The branches that a new head reaches, each after all that it derives from.
    private func downstream(of starts: [Int64]) throws -> [BranchRecord] {
        var found: [Int64: BranchRecord] = [:]
        var queue = starts
        while let id = queue.popLast() {
            for next in try catalog.directSubvenance(branch: id) where found[next] == nil {
                guard let branch = try catalog.branch(id: next), !branch.quiet.contains(id) else { continue }
                found[next] = branch
                queue.append(next)
            }
        }
        var ordered: [BranchRecord] = []
        var placed: Set<Int64> = []
        func place(_ branch: BranchRecord) {
            guard placed.insert(branch.id).inserted else { return }
            for upstream in branch.provenance { if let branch = found[upstream] { place(branch) } }
            ordered.append(branch)
        }
        for id in found.keys.sorted() { place(found[id]!) }
        return ordered
    }

    private func openDownstream(_ branch: BranchRecord) throws {
        // A spout's output derives from its spec alone: a new version opens no commit there.
        if branch.provenance.count == 1, let only = try catalog.branch(id: branch.provenance[0]),
            only.key.repo.type == .spec
        {
            return
        }
        let head = try branch.head.map { try catalog.knownCommit($0) }
        guard let head, head.key.id == id else {
            _ = try insertCommit(on: branch, parent: head, origin: .auto, isOpen: true)
            return
        }
        // Opened earlier in this transaction, before all it derives from had its new head.
        let upstream = try heads(of: branch.provenance)
        if head.isOpen, head.origin == .auto, head.provenance != upstream {
            try catalog.setProvenance(commit: head.sequence, to: upstream)
            touch(repo: head.repo)
        }
    }
}
