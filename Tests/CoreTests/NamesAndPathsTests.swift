import Core
import Testing

private struct CountingRandomness: Randomness {
    func next() -> UInt64 { 0xdead_beef_0123_4567 }
}

@Suite struct CommitIDTests {
    @Test func aFreshIDIsAVersion4UUIDWithoutDashes() throws {
        let text = CommitID(CountingRandomness()).description
        #expect(text.count == 32)
        #expect(text.dropFirst(12).first == "4")
        #expect(CommitID(text)?.description == text)
    }

    @Test(arguments: ["", "master", "0123456789abcdef0123456789abcdef", "0123456789AB4def0123456789abcdef"])
    func otherTextIsNoID(text: String) { #expect(CommitID(text) == nil) }
}

@Suite struct CommitHandleTests {
    private let repo = RepoKey(name: "images")
    private let id = "0123456789ab4def0123456789abcdef"

    @Test func anIDWinsOverTheBranchBesideIt() throws {
        let known = try #require(CommitID(id))
        #expect(try CommitHandle(repo: repo, branch: "master", id: id).selector() == .ancestor(.id(known), back: 0))
    }

    @Test(arguments: [
        ("master^", 1), ("master^^", 2), ("master^3", 3), ("master~2", 2), ("master", 0),
    ])
    func ancestryCountsBack(text: String, back: Int) throws {
        let selector = try CommitHandle(repo: repo, branch: "", id: text).selector()
        #expect(selector == .ancestor(.branch("master"), back: back))
    }

    @Test func ancestryInTheIDGoesOnFromTheBranch() throws {
        #expect(
            try CommitHandle(repo: repo, branch: "dev", id: "^2").selector() == .ancestor(.branch("dev"), back: 2))
    }

    @Test func aNumberCountsFromTheRoot() throws {
        #expect(try CommitSelector("master.3") == .fromRoot(branch: "master", number: 3, back: 0))
        #expect(try CommitSelector("master.3^2") == .fromRoot(branch: "master", number: 3, back: 2))
    }

    @Test(arguments: ["master^^1", "master^~", "master.-1", "master.x", "master.2^2"])
    func malformedAncestryIsRefused(text: String) {
        #expect(throws: SpileError.self) { try CommitSelector(text) }
    }

    @Test func nothingAtAllCannotBePicked() {
        let error = #expect(throws: SpileError.self) { try CommitHandle(repo: repo).selector() }
        #expect(error?.message == "cannot pick commit with no ID or branch")
    }
}

@Suite struct FilePathTests {
    @Test(arguments: [
        ("", "/"), (".", "/"), ("/", "/"), ("a", "/a"), ("a/", "/a"), ("//a//b/", "/a/b"), ("a/./b/../c", "/a/c"),
    ])
    func cleaningIsLexical(path: String, cleaned: String) { #expect(FilePath.clean(path) == cleaned) }

    @Test(arguments: ["/a b", "/50%", "/a:b,c=d", "/a'b\"c", "/ü/日本", "/a\\b", "/a|b<c>;`$&#~"])
    func printablePathsMayBeWritten(path: String) throws { #expect(try FilePath.validated(path) == path) }

    @Test(arguments: [
        ("", "only printable ASCII characters allowed"), ("/a\u{0}b", "only printable ASCII characters allowed"),
        ("/a\nb", "only printable ASCII characters allowed"), ("/a*", "globbing character (*) not allowed in path"),
        ("/a@b", "globbing character (@) not allowed in path"), ("/a/../b", "relative file paths are not allowed"),
    ])
    func otherPathsAreRefused(path: String, fragment: String) {
        let error = #expect(throws: SpileError.self) { try FilePath.validated(path) }
        #expect(error?.description.contains(fragment) == true, "\(String(describing: error))")
    }
}

@Suite struct NameRulesTests {
    @Test(arguments: ["", "a b", "a.b", "ü", "a/b"])
    func namesHavePlainCharacters(name: String) {
        #expect(throws: SpileError.self) { try NameRules.checkRepo(name) }
        #expect(throws: SpileError.self) { try NameRules.checkBranch(name) }
    }

    @Test func aBranchMustNotLookLikeACommit() {
        let error = #expect(throws: SpileError.self) {
            try NameRules.checkBranch("0123456789ab4def0123456789abcdef")
        }
        #expect(error?.message.contains("branch name cannot be a UUID V4") == true)
    }

    @Test func projectsAreShortAndStartPlainly() {
        #expect(throws: SpileError.self) { try NameRules.checkProject("-a") }
        #expect(throws: SpileError.self) { try NameRules.checkProject(String(repeating: "a", count: 52)) }
        #expect(throws: Never.self) { try NameRules.checkProject(String(repeating: "a", count: 51)) }
    }
}
