/// History in plain dictionaries, written from the rules alone (`pfs.md` §2–§4). A change that the rules forbid throws
/// and leaves a copy to be thrown away.
struct HistoryModel {
    struct Refused: Error {}

    struct Branch: Hashable, Comparable, CustomStringConvertible {
        var repo: Int
        var name: String
        static func < (a: Branch, b: Branch) -> Bool { (a.repo, a.name) < (b.repo, b.name) }
        var description: String { "r\(repo)@\(name)" }
    }

    enum Step {
        case put(String, String)
        case append(String, String)
        case delete(String)
        case deleteBelow(String)
    }

    struct Commit {
        var repo: Int
        /// Number of the transaction that made it, counting those that made commits.
        var set: Int
        var branch: String?
        var parent: Int?
        var provenance: Set<Int> = []
        var isAuto: Bool
        var isOpen: Bool
        /// Closed, but what it inherits from is not finished.
        var isFinishing = false
        var isFinished: Bool { !isOpen && !isFinishing }
        var hasError = false
        /// Finished in error over an open commit: what it shows of that is not said.
        var isFrozen = false
        var steps: [Step] = []
    }

    struct BranchState {
        var head: Int
        var provenance: Set<Branch> = []
    }

    private(set) var commits: [Int: Commit] = [:]
    private(set) var branches: [Branch: BranchState] = [:]
    private var nextCommit = 0
    private var nextSet = 0
    private var hasSet = false
    private var moved: Set<Branch> = []

    /// Runs one transaction.
    mutating func transact(_ body: (inout HistoryModel) throws -> Void) throws {
        var copy = self
        copy.hasSet = false
        copy.moved = []
        try body(&copy)
        try copy.propagate()
        copy.settle()
        if copy.hasSet { copy.nextSet += 1 }
        self = copy
    }

    // MARK: Branches

    mutating func createBranch(_ branch: Branch, from provenance: Set<Branch>, head: Int?) throws {
        for upstream in provenance where upstream.repo == branch.repo { throw Refused() }
        for upstream in provenance where branches[upstream] == nil { try createBranch(upstream, from: [], head: nil) }
        guard let old = branches[branch] else {
            if let head { branches[branch] = BranchState(head: head, provenance: provenance) }
            if head == nil || !provenance.isEmpty {
                try add(to: branch, parent: head, provenance, isAuto: true, isOpen: !provenance.isEmpty)
            }
            return try checkGraph(branch)
        }
        branches[branch]?.provenance = provenance
        if let head, head != old.head {
            branches[branch]?.head = head
            moved.insert(branch)
        }
        try checkGraph(branch)
        if !provenance.isEmpty, provenance != old.provenance {
            try add(to: branch, parent: branches[branch]?.head, provenance, isAuto: true, isOpen: true)
        }
    }

    mutating func deleteBranch(_ branch: Branch) throws {
        guard branches.removeValue(forKey: branch) != nil else { throw Refused() }
        for other in branches.keys { branches[other]?.provenance.remove(branch) }
        for id in commits.keys where commits[id]?.repo == branch.repo && commits[id]?.branch == branch.name {
            commits[id]?.branch = nil
        }
        moved.remove(branch)
    }

    private func ancestry(_ branch: Branch, _ seen: inout Set<Branch>) throws {
        for upstream in branches[branch]?.provenance ?? [] {
            if seen.insert(upstream).inserted { try ancestry(upstream, &seen) }
        }
    }

    private func downstream(_ branch: Branch) -> Set<Branch> {
        var seen: Set<Branch> = []
        var queue = [branch]
        while let next = queue.popLast() {
            for (other, state) in branches where state.provenance.contains(next) && seen.insert(other).inserted {
                queue.append(other)
            }
        }
        return seen
    }

    private func checkGraph(_ branch: Branch) throws {
        for affected in downstream(branch).union([branch]) {
            var all: Set<Branch> = []
            try ancestry(affected, &all)
            if all.contains(affected) { throw Refused() }
            if Set(all.union([affected]).map(\.repo)).count != all.count + 1 { throw Refused() }
        }
    }

    // MARK: Commits

    private mutating func add(
        to branch: Branch, parent: Int?, _ provenance: Set<Branch>, isAuto: Bool, isOpen: Bool, _ steps: [Step] = []
    ) throws {
        hasSet = true
        if commits.values.contains(where: { $0.repo == branch.repo && $0.set == nextSet }) { throw Refused() }
        let id = nextCommit
        nextCommit += 1
        commits[id] = Commit(
            repo: branch.repo, set: nextSet, branch: branch.name, parent: parent,
            provenance: Set(provenance.compactMap { branches[$0]?.head }), isAuto: isAuto, isOpen: isOpen,
            steps: steps)
        branches[branch, default: BranchState(head: id)].head = id
        branches[branch]?.provenance = provenance
        moved.insert(branch)
    }

    private mutating func propagate() throws {
        var affected: Set<Branch> = []
        for branch in moved { affected.formUnion(downstream(branch)) }
        var left = affected.sorted()
        while !left.isEmpty {
            guard let index = left.firstIndex(where: { branches[$0]!.provenance.isDisjoint(with: left) }) else {
                throw Refused()
            }
            let branch = left.remove(at: index)
            let state = branches[branch]!
            guard commits[state.head]!.set == nextSet, hasSet else {
                try add(to: branch, parent: state.head, state.provenance, isAuto: true, isOpen: true)
                continue
            }
            if commits[state.head]!.isAuto && commits[state.head]!.isOpen {
                commits[state.head]!.provenance = Set(state.provenance.map { branches[$0]!.head })
            }
        }
    }

    mutating func start(_ branch: Branch) throws {
        let state = branches[branch]
        if let state, !state.provenance.isEmpty || commits[state.head]!.isOpen { throw Refused() }
        try add(to: branch, parent: state?.head, [], isAuto: false, isOpen: true)
    }

    mutating func write(_ branch: Branch, _ steps: [Step]) throws {
        let state = branches[branch]
        if let state, commits[state.head]!.isOpen {
            commits[state.head]!.steps += steps
            return
        }
        if let state, !state.provenance.isEmpty { throw Refused() }
        try add(to: branch, parent: state?.head, [], isAuto: false, isOpen: false, steps)
        commits[branches[branch]!.head]!.isFinishing = true
    }

    /// Finishes what was closed over what is finished now.
    private mutating func settle() {
        for id in commits.keys.sorted() where commits[id]!.isFinishing && !isOverUnfinished(id) {
            commits[id]!.isFinishing = false
        }
    }

    mutating func finish(_ id: Int, error: Bool) throws {
        guard commits[id]?.isOpen == true else { throw Refused() }
        commits[id]!.isFrozen = error && isOverUnfinished(id)
        commits[id]!.isOpen = false
        commits[id]!.isFinishing = !error
        commits[id]!.hasError = error
    }

    mutating func clear(_ id: Int) throws {
        guard commits[id]?.isOpen == true else { throw Refused() }
        commits[id]!.steps = []
    }

    /// The nearest ancestor not in error.
    private func base(_ id: Int) -> Int? {
        var next = commits[id]!.parent
        while let one = next, commits[one]!.hasError { next = commits[one]!.parent }
        return next
    }

    /// Whether a commit inherits from one that is not finished.
    func isOverUnfinished(_ id: Int) -> Bool { base(id).map { !commits[$0]!.isFinished } ?? false }

    /// The children, and what inherits through those in error.
    private func heirs(_ id: Int) -> [Int] {
        children(id).flatMap { [$0] + (commits[$0]!.hasError ? heirs($0) : []) }
    }

    func children(_ id: Int) -> [Int] { commits.filter { $0.value.parent == id }.map(\.key) }

    /// Some commits and all that derive from them.
    func derived(_ ids: [Int]) -> Set<Int> {
        var found = Set(ids)
        var queue = ids
        while let next = queue.popLast() {
            for (id, commit) in commits where commit.provenance.contains(next) && found.insert(id).inserted {
                queue.append(id)
            }
        }
        return found
    }

    func members(_ set: Int) -> [Int] { commits.filter { $0.value.set == set }.map(\.key) }

    mutating func removeSet(_ set: Int, squash: Bool) throws {
        let members = members(set)
        if derived(members) != Set(members) { throw Refused() }
        try remove(Set(members), squash: squash)
    }

    mutating func removeOne(_ id: Int, squash: Bool, recursive: Bool) throws {
        let all = derived([id])
        if !recursive && all.count > 1 { throw Refused() }
        try remove(all, squash: squash)
    }

    private mutating func remove(_ ids: Set<Int>, squash: Bool) throws {
        for id in ids {
            let outside = children(id).filter { !ids.contains($0) }
            guard squash else {
                if outside.isEmpty { continue }
                throw Refused()
            }
            let waiting = heirs(id).contains { !ids.contains($0) && !commits[$0]!.isFinished && isOverUnfinished($0) }
            let losing = !commits[id]!.hasError && heirs(id).contains { heir in
                !ids.contains(heir) && commits[heir]!.hasError && branches.values.contains { $0.head == heir }
            }
            if losing { throw Refused() }
            if children(id).isEmpty || waiting || outside.contains(where: { !commits[$0]!.isFinished }) {
                throw Refused()
            }
        }
        for id in ids.sorted(by: >) { try take(id) }
    }

    private mutating func take(_ id: Int) throws {
        let gone = commits[id]!
        if !gone.hasError { for heir in heirs(id) { commits[heir]!.steps = gone.steps + commits[heir]!.steps } }
        for child in children(id) { commits[child]!.parent = gone.parent }
        var replacement: Int?
        for branch in branches.keys.sorted() where branches[branch]!.head == id {
            if let parent = gone.parent {
                branches[branch]!.head = parent
            } else if let replacement {
                branches[branch]!.head = replacement
            } else {
                let provenance = branches[branch]!.provenance
                try add(to: branch, parent: nil, provenance, isAuto: true, isOpen: !provenance.isEmpty)
                replacement = branches[branch]!.head
                moved.remove(branch)
            }
        }
        commits[id] = nil
        for other in commits.keys { commits[other]?.provenance.remove(id) }
    }

    // MARK: Files

    func files(_ id: Int) -> [String: String] {
        let commit = commits[id]!
        var files = base(id).map(self.files) ?? [:]
        for step in commit.steps {
            switch step {
            case .put(let path, let text): files[path] = text
            case .append(let path, let text): files[path, default: ""] += text
            case .delete(let path): files[path] = nil
            case .deleteBelow(let prefix): files = files.filter { !$0.key.hasPrefix(prefix) }
            }
        }
        return files
    }

}
