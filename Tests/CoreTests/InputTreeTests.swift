import Core
import Testing

@Suite struct InputTreeTests {
    private func tree(_ input: String) throws -> InputTree {
        let spec = PipelineSpec(
            try SpecDocument.read("pipeline: {name: p, project: {name: home}}\ninput: \(input)").json)
        return try InputTree(try #require(spec.input), of: spec.key)
    }

    private func leaf(_ input: String) throws -> InputLeaf { try #require(try tree(input).leaves.first) }

    @Test func aFileInputHasItsDefaults() throws {
        let leaf = try leaf("{pfs: {repo: r, glob: /*}}")
        #expect(
            leaf == InputLeaf(
                name: "r", branch: RepoKey(project: ProjectKey("home"), name: "r").branch("master"), glob: "/*"))
        #expect(try self.leaf("{pfs: {repo: r, s3: true}}").glob == "/")
    }

    @Test func aFileInputHasWhatTheSpecSays() throws {
        let leaf = try leaf(
            """
            {pfs: {name: n, project: away, repo: r, repo_type: meta, branch: dev, glob: "/(*)", join_on: $1,
              group_by: $2, outer_join: true, lazy: true, empty_files: true, reference: true}}
            """)
        #expect(
            leaf == InputLeaf(
                name: "n", branch: RepoKey(project: ProjectKey("away"), name: "r", type: .meta).branch("dev"),
                glob: "/(*)", joinOn: "$1", groupBy: "$2", isOuter: true, isLazy: true, emptyFiles: true,
                isReference: true))
    }

    @Test func aCronInputReadsEachTickOfItsRepo() throws {
        let leaf = try leaf("{cron: {name: t, spec: '@daily'}}")
        let branch = RepoKey(project: ProjectKey("home"), name: "p_t").branch("master")
        #expect(leaf == InputLeaf(name: "t", branch: branch, glob: "/*", schedule: "@daily"))
    }

    @Test func branchesForTriggersAreCountedByRepo() throws {
        let tree = try tree(
            """
            {cross: [{pfs: {name: a, repo: r, glob: /, trigger: {commits: 2}}},
              {pfs: {name: b, repo: s, glob: /, trigger: {commits: 2}}},
              {pfs: {name: c, repo: r, glob: /, trigger: {commits: 2}}},
              {pfs: {name: d, repo: r, glob: /, branch: own, trigger: {commits: 2}}}]}
            """)
        #expect(tree.leaves.map(\.branch.name) == ["p-trigger-1", "p-trigger-1", "p-trigger-2", "own"])
    }

    @Test func siblingsAreSortedByTheNamesThatTheSpecGives() throws {
        let tree = try tree(
            """
            {cross: [{pfs: {name: c, repo: r1, glob: /}}, {pfs: {repo: z, glob: /}},
              {union: [{pfs: {name: d, repo: r2, glob: /}}, {pfs: {name: B, repo: r3, glob: /}}]},
              {pfs: {repo: y, glob: /}}, {cron: {name: a, spec: '@daily'}}]}
            """)
        // Those without a name come first, in their order; a combination goes by its first name.
        #expect(tree.leaves.map(\.name) == ["z", "y", "B", "d", "a", "c"])
        guard case .combined(.cross, let children) = tree, case .combined(.union, _) = children[2] else {
            Issue.record("\(tree)")
            return
        }
    }

    @Test func aTreeIsOfOneKind() {
        #expect(throws: SpileError.self) { try tree("{}") }
        #expect(throws: SpileError.self) { try tree("{pfs: {repo: r, glob: /}, cron: {name: c, spec: '@daily'}}") }
    }

    @Test(arguments: [
        ("$1-$2", "a-b"), ("${1}0", "a0"), ("$0", "/a/b"), ("$$1", "$1"), ("x", "x"), ("$3$9", ""), ("$10", ""),
        ("$", "$"), ("$x${y}${1", "$x${y}${1"), ("$99999999999999999999", ""), ("${2}$1é", "baé"), ("", ""),
    ])
    func aTemplateTakesWhatTheGroupsCaught(_ template: String, _ expected: String) {
        #expect(CaptureTemplate(template).expanded(["/a/b", "a", "b", nil]) == expected)
    }
}
