import API
import Testing

@testable import spile

/// What the words of `edit metadata` become.
@Suite struct MetadataWordsTests {
    private func edits(_ words: String...) throws -> [Metadata_Edit] { try MetadataWords.edits(words, project: "p") }

    private static let id = "0123456789ab4cdef0123456789abcde"

    private func commit(_ text: String) throws -> PfsV2_CommitPicker {
        try edits("commit", text, "delete", "k")[0].commit
    }

    @Test func `every kind of thing is named by its picker`() throws {
        #expect(try edits("cluster", ".", "add", "k=v")[0].target == .cluster(.init()))
        #expect(try edits("Project", "x", "add", "k=v")[0].project.name == "x")
        let repo = try edits("repo", "r.spec", "add", "k=v")[0].repo.name
        #expect((repo.project.name, repo.name, repo.type) == ("p", "r", "spec"))
        let branch = try edits("branch", "q/r@b", "add", "k=v")[0].branch.name
        #expect((branch.repo.name.project.name, branch.repo.name.name, branch.name) == ("q", "r", "b"))
        let pipeline = try edits("pipeline", "q/x", "add", "k=v")[0].pipeline.name
        #expect((pipeline.project.name, pipeline.name) == ("q", "x"))
    }

    @Test func `a commit is named in every form of ancestry`() throws {
        #expect(try commit("r@b").branchHead.name.name == "b")
        #expect(try commit("r@\(Self.id)").id.id == Self.id)
        #expect(try commit("r@\(Self.id)").id.repo.name.type == "user")
        let ancestor = try commit("r@b^2").ancestor
        #expect(ancestor.offset == 2)
        #expect(ancestor.start.branchHead.name.name == "b")
        #expect(try commit("r@b.3").branchRoot.offset == 2)
        #expect(try commit("r@b.3").branchRoot.branch.name.name == "b")
        #expect(try commit("r@b.3^").ancestor.start.branchRoot.offset == 2)
        #expect(try commit("r@b=\(Self.id)").id.id == Self.id)
        #expect(throws: (any Error).self) { try commit("r@b^^1") }
    }

    @Test func `the operations take pairs, keys and whole maps`() throws {
        #expect(try edits("cluster", ".", "add", "k=v=w")[0].addKey == .with { ($0.key, $0.value) = ("k", "v=w") })
        #expect(try edits("cluster", ".", "edit", "k=")[0].editKey == .with { $0.key = "k" })
        #expect(try edits("cluster", ".", "delete", "k=v")[0].deleteKey.key == "k=v")
        for word in ["replace", "set", "SET"] {
            let edit = try edits("cluster", ".", word, #"{"a": "1", "b": "x=y"}"#)[0]
            #expect(edit.replace.replacement == ["a": "1", "b": "x=y"])
        }
        #expect(try edits("cluster", ".", "replace", "a=1;b=2")[0].replace.replacement == ["a": "1", "b": "2"])
        #expect(try edits("cluster", ".", "replace", "{}")[0].op == .replace(.init()))
        #expect(try edits("cluster", ".", "replace", "")[0].op == .replace(.init()))
    }

    @Test func `several pairs are several edits, and quotes keep their marks`() throws {
        let edits = try edits("cluster", ".", "add", #""a;b"='x=y';c="1\n\"2""#)
        #expect(edits.map(\.addKey.key) == ["a;b", "c"])
        #expect(edits.map(\.addKey.value) == ["x=y", "1\n\"2"])
        #expect(try self.edits("repo", "r", "add", "a=1;", "repo", "s", "delete", "b").count == 2)
    }

    @Test(arguments: [
        ["repo", "r", "add"], ["thing", "r", "add", "k=v"], ["repo", "r", "put", "k=v"], ["repo", "r", "add", "k"],
        ["repo", "r", "add", "=v"], ["repo", "r", "add", "'k=v"], ["repo", "r", "add", "'k'x=v"],
        ["repo", "r", "replace", "{"], ["repo", "r", "replace", #"{"a": 1}"#], ["branch", "r", "add", "k=v"],
    ])
    func `words that make no sense are refused`(words: [String]) {
        #expect(throws: Failure.self) { try MetadataWords.edits(words, project: "p") }
    }

    @Test func `no words make no edits`() throws { #expect(try edits() == []) }
}
