import Core
import Storage

/// Removing commits from history (`pfs.md` §4.4, §4.5): squashed, their content stays in the commits after them, that
/// hold it already; dropped, it goes with them.
extension HistoryTransaction {
    package enum Removal: String, Sendable {
        case squash, drop
    }

    /// Removes one commit and, with `recursive`, all commits that derive from it.
    package func remove(_ handle: CommitHandle, by removal: Removal, recursive: Bool) throws {
        try refuseLaunches("it may not \(removal.rawValue) commits")
        try require(.repoDeleteCommit, on: .cluster)
        let commit = try catalog.existingCommit(handle)
        try refuseSpec(commit, by: removal)
        guard try recursive || catalog.directSubvenance(commit: commit.sequence, limit: 1).isEmpty else {
            throw SpileError.domain(
                "cannot \(removal.rawValue) commit (\(commit.key)) with subvenance without recursive",
                remedy: "commits derive from it; ask for them to go, too, or keep it")
        }
        try remove(try derived(from: [commit]), by: removal)
    }

    /// Removes all commits that carry a set id; none at all is no error.
    package func remove(set id: CommitID, by removal: Removal) throws {
        try refuseLaunches("it may not \(removal.rawValue) commits")
        try require(.repoDeleteCommit, on: .cluster)
        let members = try catalog.commits(set: id)
        for member in members { try refuseSpec(member, by: removal) }
        let others = Set(try derived(from: members).map(\.key.id)).subtracting([id])
        guard others.isEmpty else {
            let names = others.sorted().map(\.description).joined(separator: " ")
            throw SpileError.domain(
                "commit set \"\(id)\" cannot be dropped because it has subvenant commit sets: [\(names)]",
                remedy: "remove those first")
        }
        try remove(members, by: removal)
    }

    /// Gives up the files of a commit that can be made anew from what it derives from; its place in history stays.
    package func forgetCommit(_ picker: CommitPicker) throws {
        try refuseLaunches("it may not forget commits")
        try require(.repoDeleteCommit, on: AccessResource(picker.repo))
        func refused(_ why: String) -> SpileError { .domain("Forget Commit: \(why)") }
        var commit = try catalog.existingCommit(picker)
        guard !commit.provenance.isEmpty else {
            throw refused("the commit to be forgotten must be in an output repo: \(commit.key)")
        }
        guard commit.isFinished else { throw refused("the commit to be forgotten is still open: \(commit.key)") }
        for sequence in try catalog.childSequences(of: commit.sequence)
        where try !catalog.knownCommit(sequence).isFinished {
            throw refused("direct descendants must be closed: \(commit.key)")
        }
        guard try branches(at: commit).isEmpty else {
            throw refused("the branch head cannot be a forgotten commit: \(commit.key)")
        }
        try refuseNeededBase(commit)
        commit.isForgotten = true
        world.discards.add()
        commit.root = .empty
        try catalog.update(commit)
        touch(repo: commit.repo)
    }

    /// Refuses where a commit after some in error would inherit from this one: an open one, or a new one on a branch.
    private func refuseNeededBase(_ commit: CommitRecord) throws {
        for child in try catalog.heirs(of: commit.sequence)
        where try !child.isFinished || (!child.error.isEmpty && !branches(at: child).isEmpty) {
            throw SpileError.domain("Forget Commit: \(child.key) inherits its files from \(commit.key)")
        }
    }

    // MARK: What goes

    /// Some commits and all that derive from them, oldest first.
    private func derived(from commits: [CommitRecord]) throws -> [CommitRecord] {
        var found = Dictionary(commits.map { ($0.sequence, $0) }, uniquingKeysWith: { first, _ in first })
        var queue = commits.map(\.sequence)
        while let sequence = queue.popLast() {
            for next in try catalog.subvenanceSequences(of: sequence) where found[next] == nil {
                found[next] = try catalog.knownCommit(next)
                queue.append(next)
            }
        }
        return found.values.sorted { $0.sequence < $1.sequence }
    }

    private func refuseSpec(_ commit: CommitRecord, by removal: Removal) throws {
        guard commit.key.repo.type == .spec, commit.origin == .user else { return }
        throw SpileError.domain(
            "cannot \(removal.rawValue) commit \(commit.key) because it updated a pipeline",
            remedy: "delete the pipeline instead")
    }

    /// Removes commits, given oldest first, if the rules allow it for every one of them.
    private func remove(_ affected: [CommitRecord], by removal: Removal) throws {
        let ids = Set(affected.map(\.sequence))
        for commit in affected {
            try refuseSpec(commit, by: removal)
            let all = try catalog.childSequences(of: commit.sequence)
            let children = all.filter { !ids.contains($0) }
            switch removal {
            case .squash:
                let heirs =
                    try children.map { try catalog.knownCommit($0) }
                    + catalog.layered(over: commit.sequence).filter { !ids.contains($0.sequence) }
                try checkSquash(commit, hasChildren: !all.isEmpty, heirs)
                try refuseLoss(of: commit, keeping: ids)
            case .drop:
                guard children.isEmpty else {
                    throw SpileError.domain(
                        "cannot drop a commit that has children: \(commit.key)",
                        remedy: "squash it, or drop those first")
                }
            }
        }
        var replacements: [Int64: CommitRecord] = [:]
        // Newest first: a head that moves to a parent which goes as well moves on with that.
        for commit in affected.reversed() {
            if removal == .drop, let branch = commit.branch {
                try catalog.deleteIdempotencyRecords(branch: branch, commit: commit.sequence)
            }
            try take(commit, &replacements)
        }
    }

    /// `heirs`: the children that stay, and the commits not finished that inherit through a child in error, which
    /// would lose what an open commit holds.
    private func checkSquash(_ commit: CommitRecord, hasChildren: Bool, _ heirs: [CommitRecord]) throws {
        guard hasChildren else {
            throw SpileError.domain(
                "cannot squash a commit that has no children, as that would cause data loss: \(commit.key)",
                remedy: "use the drop operation instead")
        }
        for child in heirs where !child.isFinished {
            throw SpileError.domain(
                "cannot squash until child commit \(child.key) is finished", remedy: "finish it, or wait for it")
        }
    }

    /// Refuses where a branch would lose the files of a commit that is squashed: its head is in error and inherits from
    /// it, as the next commit of the branch would have done. `ids` go as well.
    private func refuseLoss(of commit: CommitRecord, keeping ids: Set<Int64>) throws {
        guard commit.error.isEmpty else { return }
        for child in try catalog.heirs(of: commit.sequence)
        where try !child.error.isEmpty && !ids.contains(child.sequence) && !branches(at: child).isEmpty {
            throw SpileError.domain(
                "cannot squash commit \(commit.key), as that would cause data loss: its files would be gone after "
                    + "\(child.key), the head of a branch, which is in error",
                remedy: "drop \(child.key) first, or write another commit")
        }
    }

    /// Takes one commit out of the chain it stands in.
    private func take(_ commit: CommitRecord, _ replacements: inout [Int64: CommitRecord]) throws {
        heads.dropDistances()
        for sequence in try catalog.childSequences(of: commit.sequence) {
            var child = try catalog.knownCommit(sequence)
            child.parent = commit.parent
            try catalog.update(child)
        }
        let pointing = try branches(at: commit)
        // What a branch no longer holds may be written to it again.
        for branch in pointing { try catalog.deleteIdempotencyRecords(branch: branch.id, after: commit.parent ?? 0) }
        if let parent = commit.parent {
            if !pointing.isEmpty, try catalog.knownCommit(parent).isForgotten {
                throw SpileError.forgottenHead(commit.key)
            }
            for branch in pointing { try catalog.setHead(branch: branch.id, to: parent, at: now) }
        } else {
            for branch in pointing { try replaceHead(of: branch, &replacements) }
        }
        try loseJob(of: commit)
        try catalog.deleteCommit(sequence: commit.sequence)
        touch(repo: commit.repo)
    }

    /// A branch never has no head: it gets an empty commit, one for all such branches of a repo, of which nothing
    /// downstream hears.
    private func replaceHead(of branch: BranchRecord, _ replacements: inout [Int64: CommitRecord]) throws {
        if let known = replacements[branch.repo] {
            return try catalog.setHead(branch: branch.id, to: known.sequence, at: now)
        }
        replacements[branch.repo] = try insertCommit(
            on: branch, parent: nil, origin: .auto, isOpen: !branch.provenance.isEmpty)
        moved[branch.id] = nil
        finished.removeAll { $0.commit.sequence == replacements[branch.repo]?.sequence }
    }

    /// The branches that point at a commit: heads are commits of the branch's own repo.
    private func branches(at commit: CommitRecord) throws -> [BranchRecord] {
        try catalog.branches(repo: commit.repo).filter { $0.head == commit.sequence }
    }
}

extension SpileError {
    static func forgottenHead(_ key: CommitKey) -> SpileError {
        .domain("the branch head cannot be a forgotten commit: \(key)", remedy: "choose a commit that has its files")
    }
}
