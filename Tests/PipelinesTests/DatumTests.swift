import Core
import Simulation
import Synchronization
import Testing
import Versioning

@testable import Pipelines

/// Single cases of `pps.md` §9.1 to §9.3.
@Suite struct DatumTests {
    private func leaf(
        _ name: String, _ glob: String, repo: String? = nil, project: String = "", joinOn: String = "",
        groupBy: String = "", outer: Bool = false, reference: Bool = false
    ) -> InputTree {
        let repo = RepoKey(project: ProjectKey(project), name: repo ?? name)
        return .leaf(
            InputLeaf(
                name: name, branch: repo.branch("master"), glob: glob, joinOn: joinOn, groupBy: groupBy,
                isOuter: outer, isReference: reference))
    }

    private func files(_ repos: [String: [String]]) -> DatumFiles {
        DatumFiles(
            repos: Dictionary(
                uniqueKeysWithValues: repos.map { name, paths in
                    (RepoKey(name: name), Dictionary(uniqueKeysWithValues: paths.map { ($0, "1") }))
                }))
    }

    private func all(_ tree: InputTree, _ source: any DatumSource) async throws -> [Datum] {
        var found: [Datum] = []
        try await DatumPlan(tree).datums(in: source) {
            found.append($0)
            return true
        }
        return found
    }

    private func paths(_ tree: InputTree, _ files: DatumFiles) async throws -> [[String]] {
        try await all(tree, PlainSource(new: files)).map { $0.files.map(\.path) }
    }

    /// Changes as text: `+`, `-` or `~` before the paths; sorted.
    private func changes(_ tree: InputTree, _ source: any DatumSource) async throws -> [String] {
        var found: [String] = []
        try await DatumPlan(tree).changes(in: source) { change in
            let (sign, datum) =
                switch change {
                case .added(let datum): ("+", datum)
                case .removed(let datum): ("-", datum)
                case .changed(_, let datum): ("~", datum)
                }
            found.append(sign + datum.files.map(\.path).joined(separator: " "))
            return true
        }
        return found.sorted()
    }

    // MARK: Ids and hashes

    /// The digests are those of another implementation of BLAKE2b, fed by hand.
    @Test func idsAndHashesAreThoseOfTheContract() async throws {
        let images = RepoKey(name: "images").branch("master")
        let labels = RepoKey(project: ProjectKey("elsewhere"), name: "labels").branch("dev")
        let tree = InputTree.combined(
            .cross,
            [
                .leaf(InputLeaf(name: "pictures", branch: images, glob: "/*")),
                .leaf(InputLeaf(name: "b", branch: labels, glob: "/*")),
            ])
        struct Source: DatumSource {
            func matches(of input: DatumInput, _ body: (InputMatch) async throws -> Bool) async throws {
                let match =
                    input.index == 0
                    ? InputMatch(path: "/é/", digest: Blake2bHash.digest(Array("one".utf8)), size: 3)
                    : InputMatch(path: "/x.txt", digest: Blake2bHash.digest(Array("two".utf8)), size: 3)
                _ = try await body(match)
            }
            func changes(of input: DatumInput, _ body: (MatchChange) async throws -> Bool) async throws {}
        }
        let datum = try #require(try await all(tree, Source()).first)
        #expect("\(datum.id)" == "97e038932e42b4ea46f36f34a38b182cde91430b2725b98cbc87ed9949658fe9")
        #expect(
            "\(datum.hash(salt: "salty"))" == "9b2d18479ba8bdbeb1f6b2e25fce41c3f811d85c3183b1051646533c9649f979")
        guard case .combined(_, var children) = tree, case .leaf(var first) = children[0] else { return }
        first.isReference = true
        children[0] = .leaf(first)
        let other = try #require(try await all(.combined(.cross, children), Source()).first)
        #expect(other.id == datum.id, "a file for reference is in the id")
        #expect(
            "\(other.hash(salt: "salty"))" == "92bb32dbb5873b8aeda675a214db89bb73d34566ca78e9bcc4c83360a62e4068",
            "and not in the hash")
    }

    // MARK: Kinds

    @Test func globsChooseTheRootOrOneLevelOrAll() async throws {
        let files = files(["a": ["/x", "/d/y", "/d/e/z"]])
        #expect(try await paths(leaf("a", "/"), files) == [["/"]])
        #expect(try await paths(leaf("a", "/*"), files) == [["/d/"], ["/x"]])
        #expect(try await paths(leaf("a", "/**"), files) == [["/d/"], ["/d/e/"], ["/d/e/z"], ["/d/y"], ["/x"]])
        #expect(try await paths(leaf("a", "/"), DatumFiles()) == [], "an empty commit has no root")
    }

    @Test func aDirectorysKeyHasNoTrailingSlash() async throws {
        let files = files(["a": ["/k/x"], "b": ["/k"]])
        let tree = InputTree.combined(.join, [leaf("a", "/(*)", joinOn: "$1"), leaf("b", "/(*)", joinOn: "$1")])
        #expect(try await paths(tree, files) == [["/k/", "/k"]])
        let whole = InputTree.combined(.group, [leaf("a", "/*", groupBy: "$0"), leaf("b", "/*", groupBy: "$0")])
        let datum = try #require(try await all(whole, PlainSource(new: files)).first)
        #expect(datum.files.map(\.groupKey) == ["/k", "/k"])
        #expect(datum.files.map(\.joinKey) == ["", ""])
    }

    @Test func aCrossRunsThroughItsLastInputFastestAndNeedsAll() async throws {
        let tree = InputTree.combined(.cross, [leaf("a", "/*"), leaf("b", "/*")])
        let both = files(["a": ["/1", "/2"], "b": ["/x", "/y"]])
        #expect(try await paths(tree, both) == [["/1", "/x"], ["/1", "/y"], ["/2", "/x"], ["/2", "/y"]])
        #expect(try await paths(tree, files(["a": ["/1", "/2"], "b": []])) == [])
        #expect(try await paths(.combined(.cross, []), both) == [])
    }

    @Test func anOuterJoinKeepsWhatIsFlaggedWhereAnInputIsMissing() async throws {
        func join(_ outer: Set<String>) -> InputTree {
            .combined(.join, ["a", "b", "c"].map { leaf($0, "/(*)-*", joinOn: "$1", outer: outer.contains($0)) })
        }
        let files = files(["a": ["/1-a", "/2-a", "/2-A", "/3-a"], "b": ["/1-b", "/2-b"], "c": ["/1-c"]])
        #expect(try await paths(join([]), files) == [["/1-a", "/1-b", "/1-c"]])
        #expect(
            try await Set(paths(join(["a", "b"]), files)) == [
                ["/1-a", "/1-b", "/1-c"], ["/2-A", "/2-b"], ["/2-a", "/2-b"], ["/3-a"],
            ])
        #expect(try await Set(paths(join(["b", "c"]), files)) == [["/1-a", "/1-b", "/1-c"], ["/2-b"]])
    }

    @Test func aGroupHasAllFilesOfItsKeyInTheOrderOfInputs() async throws {
        let tree = InputTree.combined(
            .group, [leaf("a", "/(*)-(*)", groupBy: "$2"), leaf("b", "/(*)-(*)", groupBy: "$1")])
        let files = files(["a": ["/x-1", "/y-1", "/z-2"], "b": ["/1-x", "/3-x"]])
        #expect(
            try await Set(paths(tree, files)) == [["/x-1", "/y-1", "/1-x"], ["/z-2"], ["/3-x"]])
    }

    @Test func keysOfANestedInputAreThoseOfItsLeaves() async throws {
        let cross = InputTree.combined(
            .cross, [leaf("a", "/(*)", groupBy: "$1"), leaf("b", "/(*)", groupBy: "$1")])
        let files = files(["a": ["/k", "/l"], "b": ["/k"]])
        #expect(
            try await Set(paths(.combined(.group, [cross]), files)) == [["/k", "/k"], ["/l"]],
            "each file once, not once for each combination")
    }

    @Test func siblingsOfAUnionThatShareANameGiveEachDatumOnce() async throws {
        let tree = InputTree.combined(.union, [leaf("a", "/x*"), leaf("a", "/*y")])
        let old = files(["a": ["/x", "/xy", "/y"]])
        #expect(try await paths(tree, old) == [["/x"], ["/xy"], ["/y"]])
        var changed = old
        changed.repos[RepoKey(name: "a")] = ["/xy": "2"]
        #expect(
            try await changes(tree, PlainSource(new: changed, old: old)) == ["-/x", "-/y", "~/xy"])
    }

    @Test func whatOneSiblingStillGivesIsNotGone() async throws {
        // The first sibling no longer gives a datum of b, the second one does.
        let tree = InputTree.combined(
            .union,
            [
                .combined(.join, [leaf("b", "/*", outer: true), leaf("a", "/*")]),
                leaf("b", "/*"),
            ])
        let old = files(["b": ["/x"]])
        let new = files(["b": ["/x"], "a": ["/1"]])
        #expect(try await changes(tree, PlainSource(new: new, old: old)) == ["+/x /1"])
    }

    @Test func reposOfTwoProjectsThatCannotBeToldApartAreRefused() async throws {
        let tree = InputTree.combined(.union, [leaf("a", "/*"), leaf("a", "/*", project: "other")])
        var files = files(["a": ["/x"]])
        let other = RepoKey(project: ProjectKey("other"), name: "a")
        files.repos[other] = ["/y": "1"]
        #expect(try await paths(tree, files) == [["/x"], ["/y"]])
        files.repos[other] = ["/x": "1"]
        let error = await #expect(throws: SpileError.self) { try await paths(tree, files) }
        #expect(error?.message.contains("two different files make the same datum") == true)
        #expect(error?.message.contains("other/a@master/x") == true)
    }

    @Test func aMalformedGlobIsRefusedWithItsInput() {
        let error = #expect(throws: SpileError.self) { try DatumPlan(leaf("numbers", "/[a")) }
        #expect(error?.message.contains("input \"numbers\"") == true)
    }

    // MARK: Changes

    @Test func anInputWithoutAChangeIsNotWalked() async throws {
        let tree = InputTree.combined(
            .union, [leaf("a", "/*"), .combined(.join, [leaf("b", "/*"), leaf("c", "/*")]), leaf("d", "/*")])
        let old = files(["a": ["/1"], "b": ["/1"], "c": ["/1"], "d": ["/1", "/2"]])
        var new = old
        new.repos[RepoKey(name: "d")]?["/2"] = "2"
        let asked = Mutex<[String]>([])
        let source = PlainSource(new: new, old: old, asked: { name in asked.withLock { $0.append(name) } })
        #expect(try await changes(tree, source) == ["~/2"])
        #expect(asked.withLock { $0 } == [])
    }

    @Test func aChangeInACrossGivesItsCombinationsOnly() async throws {
        let tree = InputTree.combined(.cross, [leaf("a", "/*"), leaf("b", "/*")])
        let old = files(["a": ["/1", "/2"], "b": ["/x", "/y", "/z"]])
        var new = old
        new.repos[RepoKey(name: "a")]?["/2"] = "2"
        #expect(try await changes(tree, PlainSource(new: new, old: old)) == ["~/2 /x", "~/2 /y", "~/2 /z"])
        new.repos[RepoKey(name: "b")]?["/z"] = nil
        new.repos[RepoKey(name: "b")]?["/w"] = "1"
        #expect(
            try await changes(tree, PlainSource(new: new, old: old)) == [
                "+/1 /w", "+/2 /w", "-/1 /z", "-/2 /z", "~/2 /x", "~/2 /y",
            ])
    }

    @Test func aFileThatComesToAGroupOrCompletesAJoinMakesAnotherDatum() async throws {
        let group = InputTree.combined(.group, [leaf("a", "/(*)-*", groupBy: "$1")])
        let old = files(["a": ["/1-x", "/2-x"]])
        let new = files(["a": ["/1-x", "/1-y", "/2-x"]])
        #expect(try await changes(group, PlainSource(new: new, old: old)) == ["+/1-x /1-y", "-/1-x"])
        let join = InputTree.combined(
            .join, [leaf("a", "/(*)-*", joinOn: "$1", outer: true), leaf("b", "/*", joinOn: "1")])
        var joined = old
        joined.repos[RepoKey(name: "b")] = ["/b": "1"]
        #expect(try await changes(join, PlainSource(new: joined, old: old)) == ["+/1-x /b", "-/1-x"])
    }

    @Test func contentOfFilesForReferenceChangesNothing() async throws {
        let tree = InputTree.combined(.cross, [leaf("a", "/*"), leaf("b", "/*", reference: true)])
        let old = files(["a": ["/1"], "b": ["/x"]])
        var new = old
        new.repos[RepoKey(name: "b")] = ["/x": "2", "/y": "1"]
        #expect(try await changes(tree, PlainSource(new: new, old: old)) == ["+/1 /y"])
    }

    // MARK: Bounds

    @Test func aProductIsNotHeldAndEndsWhenToldTo() async throws {
        struct Endless: DatumSource {
            let handedOut: Counted
            func matches(of input: DatumInput, _ body: (InputMatch) async throws -> Bool) async throws {
                var number = 0
                while true {
                    number += 1
                    handedOut.count.withLock { $0 += 1 }
                    let match = InputMatch(path: "/\(number)", digest: .zero, size: 0)
                    guard try await body(match) else { return }
                }
            }
            func changes(of input: DatumInput, _ body: (MatchChange) async throws -> Bool) async throws {}
        }
        let handedOut = Counted()
        let tree = InputTree.combined(.cross, [leaf("a", "/*"), .combined(.cross, [leaf("b", "/*"), leaf("c", "/*")])])
        var found: [[String]] = []
        try await DatumPlan(tree, bufferedFiles: 100).datums(in: Endless(handedOut: handedOut)) {
            found.append($0.files.map(\.path))
            return found.count < 3
        }
        #expect(found == [["/1", "/1", "/1"], ["/1", "/1", "/2"], ["/1", "/1", "/3"]])
        #expect(handedOut.count.withLock { $0 } < 1000)
    }

    private final class Counted: Sendable {
        let count = Mutex(0)
    }
}
