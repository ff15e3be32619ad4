import API
import Testing

@testable import spile

@Suite struct ReferenceTests {
    private let id = "0123456789ab4def0123456789abcdef"

    private func read(_ text: String) throws -> Reference { try Reference(text, project: "p") }

    @Test func `a bare name is a repo`() throws {
        let reference = try read("foo")
        #expect((reference.project, reference.repo, reference.type) == ("p", "foo", "user"))
        #expect((reference.branch, reference.commit, reference.path) == ("", "", nil))
    }

    @Test func `a dot parts the name and the type`() throws {
        let reference = try read("foo.meta@master")
        #expect((reference.repo, reference.type, reference.branch) == ("foo", "meta", "master"))
    }

    @Test func `a project in front wins`() throws {
        #expect(try read("other/foo@master").project == "other")
    }

    @Test(arguments: [
        ("r@master", "master", ""), ("r@0123456789ab4def0123456789abcdef", "", "0123456789ab4def0123456789abcdef"),
        ("r@master^", "", "master^"), ("r@master^2", "", "master^2"), ("r@master~3", "", "master~3"),
        ("r@master.1", "", "master.1"),
        ("r@0123456789ab4def0123456789abcdef^", "", "0123456789ab4def0123456789abcdef^"),
        ("r@master=0123456789ab4def0123456789abcdef", "master", "0123456789ab4def0123456789abcdef"),
        // The thirteenth character is not 4: a branch that only looks like an id.
        ("r@0123456789ab5def0123456789abcdef", "0123456789ab5def0123456789abcdef", ""),
    ])
    func `what follows the at sign is a branch, an id or an expression`(text: String, branch: String, commit: String)
        throws
    {
        let reference = try read(text)
        #expect((reference.branch, reference.commit) == (branch, commit))
    }

    @Test func `the first colon starts the path, and an equals sign in the path is no id`() throws {
        let reference = try read("r@master:/a=b:c@d")
        #expect((reference.branch, reference.commit, reference.path) == ("master", "", "/a=b:c@d"))
    }

    @Test func `a commit goes on the wire with its repo in both places`() throws {
        let commit = try read("r@master^").wireCommit
        #expect(commit.id == "master^")
        #expect(commit.repo.name == "r")
        #expect(commit.branch.repo.project.name == "p")
        #expect(commit.branch.name == "")
    }

    @Test(arguments: ["@master", "", "p/@master"])
    func `an empty repo is refused`(text: String) {
        let failure = #expect(throws: Failure.self) { try read(text) }
        #expect(failure?.message.hasPrefix("repo cannot be empty") == true)
    }

    @Test func `a command that wants a branch refuses ids, ancestry and paths`() {
        for text in ["r", "r@\(id)", "r@master^", "r@master=\(id)", "r@master:/x"] {
            #expect(throws: Failure.self, "\(text)") { try Reference.branch(text, project: "p") }
        }
    }

    @Test func `a command that wants a commit refuses a path and a bare repo`() {
        #expect(throws: Failure.self) { try Reference.commit("r@master:/x", project: "p") }
        #expect(throws: Failure.self) { try Reference.commit("r", project: "p") }
    }

    @Test func `one record of values honours quotes`() {
        #expect(splitCommas("a,b") == ["a", "b"])
        #expect(splitCommas("\"a,b\",c") == ["a,b", "c"])
        #expect(splitCommas("\"say \"\"hi\"\"\",c") == ["say \"hi\"", "c"])
    }

    @Test func `a made id looks like one`() {
        #expect(isCommitID(makeCommitID()))
    }
}
