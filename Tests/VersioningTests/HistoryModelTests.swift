import Core
import Simulation
import Testing
import Versioning

/// Random programs over branches, provenance, commits, removals and transactions against ``HistoryModel``, by seed.
@Suite struct HistoryModelTests {
    typealias Branch = HistoryModel.Branch

    @Test(arguments: 1...24 as ClosedRange<UInt64>)
    func aRandomProgramMakesTheHistoryThatTheRulesMake(seed: UInt64) async throws {
        var program = try await HistoryProgram(seed: seed)
        for step in 0..<120 {
            try await program.step()
            try program.compare("seed \(seed), step \(step)")
        }
        try program.compareFiles("seed \(seed)")
        #expect(try program.fixture.history.findings() == [], "seed \(seed)")
        #expect(program.carriedOut > 40, "seed \(seed): most steps were refused")
    }

    @Test func theSameSeedMakesTheSameHistory() async throws {
        var dumps: [[String]] = []
        for _ in 0..<2 {
            var program = try await HistoryProgram(seed: 99)
            for _ in 0..<60 { try await program.step() }
            dumps.append(try program.dump())
        }
        #expect(dumps[0] == dumps[1])
        #expect(dumps[0].count > 20)
    }
}

/// A random program in progress: the history, its model, and which commit of one is which of the other.
struct HistoryProgram {
    typealias Branch = HistoryModel.Branch

    let fixture: TestHistory
    private let random: SeededRandomness
    private var model = HistoryModel()
    private var repos: [RepoKey] = []
    /// Set ids of the history in the order they came up: the model counts likewise.
    private var sets: [CommitID] = []
    private var texts = 0
    /// Steps that were not refused.
    private(set) var carriedOut = 0

    init(seed: UInt64) async throws {
        fixture = try TestHistory(seed: seed)
        random = SeededRandomness(seed: seed &* 104_729)
        for index in 0..<5 { repos.append(try await fixture.history.makeRepo("r\(index)")) }
    }

    private var history: History { fixture.history }

    // MARK: Steps

    mutating func step() async throws {
        switch random.below(16) {
        case 0, 1, 2: try await createBranch()
        case 3, 4, 5, 6: try await write()
        case 7, 8: try await start()
        case 9, 10: try await finish()
        case 11: try await removeSet()
        case 12: try await removeOne()
        case 13: try await transaction()
        case 14: try await clear()
        default: if random.below(3) == 0 { try await deleteBranch() } else { try fixture.restart() }
        }
    }

    /// Makes a change in both; both take it or both refuse it.
    private mutating func both(
        _ what: String, _ change: (inout HistoryModel) throws -> Void, _ real: (History) async throws -> Void
    ) async throws {
        var next = model
        let allowed = (try? next.transact(change)) != nil
        do {
            try await real(history)
            #expect(allowed, "\(what) should have been refused")
        } catch let error as SpileError {
            #expect(!allowed, "\(what) was refused: \(error)")
        }
        if allowed {
            model = next
            carriedOut += 1
        }
        try learnSets()
    }

    private mutating func learnSets() throws {
        let known = Set(sets)
        var seen: Set<CommitID> = []
        for commit in try allCommits() where !known.contains(commit.key.id) && seen.insert(commit.key.id).inserted {
            sets.append(commit.key.id)
        }
    }

    private func allCommits() throws -> [CommitRecord] {
        try history.read { try $0.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 10_000) }
    }

    private func pick(_ names: [String] = ["master", "dev"]) -> Branch {
        Branch(repo: random.below(repos.count), name: random.pick(names))
    }

    private func key(_ branch: Branch) -> BranchKey { repos[branch.repo].branch(branch.name) }
    private func key(_ commit: HistoryModel.Commit) -> CommitKey { repos[commit.repo].commit(sets[commit.set]) }

    private mutating func createBranch() async throws {
        let branch = pick(["master", "dev", "side"])
        var provenance: Set<Branch> = []
        for _ in 0..<random.below(3) { provenance.insert(pick()) }
        let heads = model.commits.filter { $0.value.repo == branch.repo }.keys.sorted()
        let head = !heads.isEmpty && random.below(4) == 0 ? random.pick(heads) : nil
        let handle = head.map { CommitHandle(key(model.commits[$0]!)) }
        let upstream = provenance.sorted().map(key)
        let name = key(branch)
        try await both(
            "create branch \(branch) from \(provenance)",
            { try $0.createBranch(branch, from: provenance, head: head) },
            { try await $0.branch(name, BranchChange(head: handle, provenance: upstream)) })
    }

    private mutating func deleteBranch() async throws {
        let branch = pick()
        let name = key(branch)
        try await both(
            "delete branch \(branch)", { try $0.deleteBranch(branch) },
            { try await $0.transact(as: History.user) { try $0.deleteBranch(name, force: true) } })
    }

    private mutating func write() async throws {
        let branch = pick()
        var steps: [HistoryModel.Step] = []
        for _ in 0..<(1 + random.below(4)) { steps.append(self.change()) }
        let name = key(branch)
        let changes = steps
        try await both(
            "write \(branch)", { try $0.write(branch, changes) },
            { history in
                try await history.modify(CommitHandle(name)) { upload in
                    for step in changes { try Self.carryOut(step, upload) }
                }
            })
    }

    private mutating func change() -> HistoryModel.Step {
        texts += 1
        let path = random.pick(["/a", "/b", "/d/a", "/d/b", "/d/e/f"])
        switch random.below(6) {
        case 0: return .delete(path)
        case 1: return .deleteBelow("/d/")
        case 2: return .append(path, "+\(texts)")
        default: return .put(path, "text \(texts)")
        }
    }

    private static func carryOut(_ step: HistoryModel.Step, _ upload: Upload) throws {
        switch step {
        case .put(let path, let text): try upload.put(path, text)
        case .append(let path, let text): try upload.put(path, text, append: true)
        case .delete(let path): try upload.delete(path: path, datum: "")
        case .deleteBelow(let prefix): try upload.delete(path: prefix, datum: "")
        }
    }

    private mutating func start() async throws {
        let branch = pick()
        let name = key(branch)
        try await both("start \(branch)", { try $0.start(branch) }, { _ = try await $0.start(name) })
    }

    private mutating func transaction() async throws {
        let first = pick()
        let second = pick()
        let names = [key(first), key(second)]
        try await both(
            "start \(first) and \(second)",
            {
                try $0.start(first)
                try $0.start(second)
            },
            { history in
                let record = try await history.startTransaction(as: History.user)
                let run: @Sendable (HistoryTransaction) throws -> Void = { transaction in
                    for name in names { _ = try transaction.startCommit(on: name, parent: nil, description: "") }
                }
                do {
                    _ = try await history.rehearse(record.id, as: History.user) { record, transaction in
                        (record, try run(transaction))
                    }
                    _ = try await history.finishTransaction(record.id, as: History.user) { try run($1) }
                } catch {
                    try await history.deleteTransaction(record.id, as: History.user)
                    throw error
                }
            })
    }

    /// An open commit, or now and then any.
    private func pickOpen() -> (Int, HistoryModel.Commit)? {
        let open = model.commits.filter(\.value.isOpen).keys.sorted()
        let choice = open.isEmpty || random.below(8) == 0 ? model.commits.keys.sorted() : open
        guard !choice.isEmpty else { return nil }
        let id = random.pick(choice)
        return (id, model.commits[id]!)
    }

    private mutating func finish() async throws {
        guard let (id, commit) = pickOpen() else { return }
        let isBad = random.below(6) == 0
        let handle = CommitHandle(key(commit))
        try await both(
            "finish \(handle)", { try $0.finish(id, error: isBad) },
            {
                try await $0.finish(
                    handle, description: "", error: isBad ? "bad" : "", force: false, as: History.user)
            })
    }

    private mutating func clear() async throws {
        guard let (id, commit) = pickOpen() else { return }
        let handle = CommitHandle(key(commit))
        try await both(
            "clear \(handle)", { try $0.clear(id) },
            { try await $0.transact(as: History.user) { try $0.clearCommit(handle) } })
    }

    private mutating func removeSet() async throws {
        guard !model.commits.isEmpty else { return }
        let set = model.commits[random.pick(model.commits.keys.sorted())]!.set
        let squash = random.below(2) == 0
        let id = sets[set]
        try await both(
            "\(squash ? "squash" : "drop") set \(set)", { try $0.removeSet(set, squash: squash) },
            { try await $0.transact(as: History.user) { try $0.remove(set: id, by: squash ? .squash : .drop) } })
    }

    private mutating func removeOne() async throws {
        guard !model.commits.isEmpty else { return }
        let id = random.pick(model.commits.keys.sorted())
        let squash = random.below(2) == 0
        let recursive = random.below(2) == 0
        let handle = CommitHandle(key(model.commits[id]!))
        try await both(
            "remove \(handle)", { try $0.removeOne(id, squash: squash, recursive: recursive) },
            {
                try await $0.transact(as: History.user) {
                    try $0.remove(handle, by: squash ? .squash : .drop, recursive: recursive)
                }
            })
    }

    // MARK: Comparing

    /// One line for each commit and branch of the history.
    func dump() throws -> [String] {
        try history.read { catalog in
            let commits = try catalog.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 10_000)
            let names = Dictionary(uniqueKeysWithValues: commits.map { ($0.sequence, $0.key) })
            var lines: [String] = []
            for commit in commits {
                let branch = try commit.branch.flatMap { try catalog.branch(id: $0)?.key.name } ?? "-"
                let parent = commit.parent.map { label(names[$0]!) } ?? "-"
                let provenance = commit.provenance.map { label(names[$0]!) }.sorted()
                lines.append(
                    "\(label(commit.key)) on \(branch) after \(parent) from \(provenance)"
                        + "\(commit.origin == .auto ? " auto" : "")\(commit.isOpen ? " open" : "")"
                        + "\(commit.isFinishing ? " finishing" : "")"
                        + "\(commit.error.isEmpty ? "" : " bad")")
            }
            for branch in try catalog.branches(repo: nil) {
                let provenance = try branch.provenance.map { label(try catalog.branch(id: $0)!.key) }.sorted()
                lines.append("\(label(branch.key)) at \(label(names[branch.head!]!)) from \(provenance)")
            }
            return lines.sorted()
        }
    }

    private func label(_ key: CommitKey) -> String {
        "r\(repos.firstIndex(of: key.repo)!)#\(sets.firstIndex(of: key.id)!)"
    }
    private func label(_ key: BranchKey) -> String { "r\(repos.firstIndex(of: key.repo)!)@\(key.name)" }
    private func label(_ id: Int) -> String { model.commits[id].map { "r\($0.repo)#\($0.set)" } ?? "gone" }

    private func expected() -> [String] {
        var lines: [String] = []
        for (id, commit) in model.commits {
            lines.append(
                "\(label(id)) on \(commit.branch ?? "-") after \(commit.parent.map(label) ?? "-") from "
                    + "\(commit.provenance.map(label).sorted())\(commit.isAuto ? " auto" : "")"
                    + "\(commit.isOpen ? " open" : "")\(commit.isFinishing ? " finishing" : "")"
                    + "\(commit.hasError ? " bad" : "")")
        }
        for (branch, state) in model.branches {
            lines.append("\(branch) at \(label(state.head)) from \(state.provenance.map(\.description).sorted())")
        }
        return lines.sorted()
    }

    func compare(_ context: String) throws {
        let (real, expected) = (try dump(), expected())
        let (extra, missing) = (Set(real).subtracting(expected), Set(expected).subtracting(real))
        #expect(real == expected, "\(context): only here \(extra), only in the model \(missing)")
    }

    /// Every commit's files, those aside that inherit from one not finished: what these show is not settled yet.
    func compareFiles(_ context: String) throws {
        for (id, commit) in model.commits where !model.isOverUnfinished(id) && !commit.isFrozen {
            let files = model.files(id)
            let handle = CommitHandle(key(commit))
            for path in ["/a", "/b", "/d/a", "/d/b", "/d/e/f"] {
                let text = try history.content(handle, path).map { String(decoding: $0, as: UTF8.self) }
                #expect(text == files[path], "\(context): \(label(id)) \(path)")
            }
        }
    }
}
