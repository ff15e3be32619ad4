import Core
import Simulation
import Versioning

@testable import Pipelines

/// A tree and what its repos hold before and after some edits: what an evaluation is checked on.
struct DatumScenario: CustomStringConvertible {
    var tree: InputTree
    var old: DatumFiles
    var new: DatumFiles

    var description: String { "\(Self.text(tree))\nbefore:\n\(old)\nafter:\n\(new)" }

    private static func text(_ tree: InputTree) -> String {
        switch tree {
        case .leaf(let leaf):
            "\(leaf.name)=\(leaf.branch.repo.name):\(leaf.glob)"
                + (leaf.joinOn.isEmpty ? "" : " join_on \(leaf.joinOn)")
                + (leaf.groupBy.isEmpty ? "" : " group_by \(leaf.groupBy)") + (leaf.isOuter ? " outer" : "")
                + (leaf.isReference ? " reference" : "")
        case .combined(let combination, let children):
            "\(combination.rawValue)(\(children.map(text).joined(separator: ", ")))"
        }
    }

    // MARK: Chance

    static let repos = (0..<3).map { RepoKey(name: "r\($0)") }
    private static let names = ["a", "b", "a-1", "b-1", "a-2", "b-2", "a.txt"]
    private static let globs = [
        "/", "/*", "/*", "/**", "/*/*", "/(*)-(*)", "/(*)-(*)", "/(*)-(*)", "/(*)/*", "/*/(*)", "/a*", "/**/(?)-(*)",
        "/(?)*", "/(?)**", "/a/", "/a/*", "/{a,b}*", "/a-1", "/a-1", "/!(a)", "/(a|b)-*",
    ]
    private static let templates = ["", "$1", "$1", "$2", "$2-$1", "$0", "k$1", "$9"]

    static func random(_ random: SeededRandomness) throws -> DatumScenario {
        var old = DatumFiles()
        for repo in repos { old.repos[repo] = edited([:], count: random.below(9), random) }
        var new = old
        for repo in repos where random.below(2) == 0 {
            new.repos[repo] = edited(new.repos[repo] ?? [:], count: 1 + random.below(3), random)
        }
        var room = 4
        return DatumScenario(tree: randomTree(depth: 3, &room, random), old: old, new: new)
    }

    /// Puts, changes or removes so many files; what would be file and directory at once takes the other's place.
    static func edited(_ files: [String: String], count: Int, _ random: SeededRandomness) -> [String: String] {
        var files = files
        for _ in 0..<count {
            if random.below(4) == 0, let path = files.keys.sorted().dropFirst(random.below(files.count + 1)).first {
                files[path] = nil
                continue
            }
            let path = (0...random.below(3)).map { _ in "/" + random.pick(names) }.joined()
            files = files.filter { !$0.key.hasPrefix(path + "/") && !path.hasPrefix($0.key + "/") }
            files[path] = "\(random.below(3))"
        }
        return files
    }

    private static func randomTree(depth: Int, _ room: inout Int, _ random: SeededRandomness) -> InputTree {
        guard depth > 0, room > 1, random.below(5) > 0 else { return .leaf(randomLeaf(&room, random)) }
        let combination = random.pick(InputSpec.Combination.allCases)
        var children: [InputTree] = []
        for _ in 0..<(1 + random.below(3)) where room > 0 {
            if combination == .union, random.below(4) == 0, case .leaf(var twin)? = children.last {
                twin.glob = random.pick(globs)
                room -= 1
                children.append(.leaf(twin))
            } else {
                children.append(randomTree(depth: depth - 1, &room, random))
            }
        }
        return .combined(combination, children)
    }

    private static func randomLeaf(_ room: inout Int, _ random: SeededRandomness) -> InputLeaf {
        room -= 1
        return InputLeaf(
            name: "i\(room)", branch: random.pick(repos).branch("master"), glob: random.pick(globs),
            joinOn: random.pick(templates), groupBy: random.pick(templates), isOuter: random.below(3) == 0,
            isReference: random.below(6) == 0)
    }

    // MARK: Check

    /// What is wrong with an evaluation; nil if nothing is.
    func fault(_ source: (DatumScenario) -> any DatumSource, bufferedFiles: Int) async throws -> String? {
        let before = try DatumModel.datums(tree, old)
        let after = try DatumModel.datums(tree, new)
        let plan = try DatumPlan(tree, bufferedFiles: bufferedFiles)
        var found: [PlainDatum] = []
        try await plan.datums(in: source(self)) {
            found.append(PlainDatum($0))
            return true
        }
        if found.sorted() != after.sorted() {
            return "all datums are\n\(found.sorted())\ninstead of\n\(after.sorted())"
        }
        var known = Dictionary(uniqueKeysWithValues: before.map { ($0.name, $0.content) })
        var told: Set<String> = []
        var wrong: String?
        try await plan.changes(in: source(self)) { change in
            wrong = Self.apply(change, to: &known, &told)
            return wrong == nil
        }
        if let wrong { return wrong }
        let expected = Dictionary(uniqueKeysWithValues: after.map { ($0.name, $0.content) })
        if known != expected {
            let off = Set(known.keys).union(expected.keys).filter { known[$0] != expected[$0] }.sorted()
            return "after the changes told, these are not as they should be: \(off)"
        }
        return nil
    }

    /// Applies a change; what is wrong with it, if something is.
    private static func apply(
        _ change: DatumChange, to known: inout [String: String], _ told: inout Set<String>
    ) -> String? {
        let (old, new): (PlainDatum?, PlainDatum?) =
            switch change {
            case .added(let datum): (nil, PlainDatum(datum))
            case .removed(let datum): (PlainDatum(datum), nil)
            case .changed(let from, let to): (PlainDatum(from), PlainDatum(to))
            }
        let name = (new ?? old)!.name
        if !told.insert(name).inserted { return "\(name) is told of twice" }
        if known[name] != old?.content { return "\(name) is told to change from what it was not" }
        if old?.content == new?.content { return "\(name) is told of without a change" }
        known[name] = new?.content
        return nil
    }

    // MARK: Shrinking

    /// A smaller scenario with a fault too, as small as taking single things away makes it.
    func shrunk(_ isFaulty: (DatumScenario) async throws -> Bool) async throws -> DatumScenario {
        var smallest = self
        var goesOn = true
        while goesOn {
            goesOn = false
            for candidate in smallest.smaller where try await isFaulty(candidate) {
                smallest = candidate
                goesOn = true
                break
            }
        }
        return smallest
    }

    private var smaller: [DatumScenario] {
        var result = Self.smaller(tree).map { DatumScenario(tree: $0, old: old, new: new) }
        for repo in Self.repos {
            for path in (old.repos[repo] ?? [:]).keys.sorted() {
                var both = self
                both.old.repos[repo]?[path] = nil
                both.new.repos[repo]?[path] = nil
                var one = self
                one.old.repos[repo]?[path] = nil
                result += [both, one]
            }
            for path in (new.repos[repo] ?? [:]).keys.sorted() {
                var one = self
                one.new.repos[repo]?[path] = nil
                result.append(one)
            }
        }
        return result
    }

    private static func smaller(_ tree: InputTree) -> [InputTree] {
        guard case .combined(let combination, let children) = tree else { return [] }
        var result = children
        for index in children.indices {
            var rest = children
            rest.remove(at: index)
            if !rest.isEmpty { result.append(.combined(combination, rest)) }
            for child in smaller(children[index]) {
                var others = children
                others[index] = child
                result.append(.combined(combination, others))
            }
        }
        return result
    }
}
