import Testing

@testable import spile

@Suite struct PutPlanTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let path: String
        let sources: [String]
        var recursive = false
        var fullPath = false
        let wanted: String
        var testDescription: String { "\(path) \(sources) r=\(recursive) full=\(fullPath)" }
    }

    @Test(arguments: [
        Row(path: "", sources: ["dir/x"], wanted: "x"),
        Row(path: "", sources: ["dir/x"], fullPath: true, wanted: "dir/x"),
        Row(path: "", sources: ["dir"], recursive: true, wanted: "dir"),
        Row(path: "/", sources: ["dir"], recursive: true, wanted: ""),
        Row(path: "/d", sources: ["x"], wanted: "d"),
        Row(path: "/d/", sources: ["x"], wanted: "d/x"),
        Row(path: "/d/", sources: ["a/x"], fullPath: true, wanted: "d/a/x"),
        Row(path: "/d", sources: ["a/x"], fullPath: true, wanted: "d"),
        Row(path: "/d", sources: ["a/dir"], recursive: true, wanted: "d"),
        Row(path: "/d", sources: ["a/dir"], recursive: true, fullPath: true, wanted: "d/a/dir"),
        Row(path: "/d", sources: ["x", "y"], wanted: "d/x"),
        Row(path: "/d", sources: ["-"], wanted: "d"),
        Row(path: "a//b/../c", sources: ["x"], wanted: "a/c"),
        Row(path: "", sources: ["http://host/p/a.csv?x=1"], wanted: "a.csv?x=1"),
        Row(path: "", sources: ["http://host/p/a.csv?x=1"], fullPath: true, wanted: "p/a.csv"),
        Row(path: "", sources: ["pfs://h/repo/branch/p/a"], fullPath: true, wanted: "p/a"),
    ])
    func `the destination follows the table`(row: Row) throws {
        let request = PutPlan.Request(
            path: row.path, sources: row.sources, recursive: row.recursive, fullPath: row.fullPath)
        #expect(try PutPlan.destination(for: row.sources[0], request) == row.wanted)
    }

    @Test func `stdin needs a name`() {
        for path in ["", "/d/"] {
            #expect(throws: Failure.self) { try PutPlan(PutPlan.Request(path: path, sources: ["-"])) }
        }
    }

    @Test func `stdin is no folder`() {
        #expect(throws: Failure.self) { try PutPlan(PutPlan.Request(path: "/d", sources: ["-"], recursive: true)) }
    }

    @Test func `only known schemes go to the server`() {
        #expect(PutPlan.isServerURL("s3://bucket/key"))
        #expect(PutPlan.isServerURL("HTTPS://host/x"))
        #expect(!PutPlan.isServerURL("a:b.txt"))
        #expect(!PutPlan.isServerURL("odd://host/x"))
    }

    @Test func `a folder is walked in byte order, empty folders vanish`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try Files.makeFolder(folder.path + "/d/empty")
        try Files.makeFolder(folder.path + "/d/b")
        for name in ["d/b/2", "d/b/1", "d/a"] { try folder.write(name, "x") }
        let plan = try PutPlan(
            PutPlan.Request(path: "/in", sources: [folder.path + "/d"], recursive: true))
        #expect(plan.items.map(\.destination) == ["in/a", "in/b/1", "in/b/2"])
        #expect(plan.items.first?.source == .file(folder.path + "/d/a"))
    }

    @Test func `a folder without -r is refused, and so is a file that is not there`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(throws: Failure.self) { try PutPlan(PutPlan.Request(sources: [folder.path])) }
        #expect(throws: Failure.self) { try PutPlan(PutPlan.Request(sources: [folder.path + "/none"])) }
    }

    @Test func `a value is split at commas unless a file has that name`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.write("a,b", "x")
        #expect(expandFileFlags([folder.path + "/a,b"]) == [folder.path + "/a,b"])
        #expect(expandFileFlags(["x,y", "z"]) == ["x", "y", "z"])
    }

    @Test func `an archive goes below the path`() throws {
        let plan = try PutPlan(PutPlan.Request(path: "/in", sources: ["x.tgz"], untar: true))
        #expect(plan.items == [PutPlan.Item(source: .archive("x.tgz"), destination: "in")])
    }
}
