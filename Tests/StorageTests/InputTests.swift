import Core
import Simulation
import Storage
import Testing

/// Whatever a caller passes, it is refused before it can reach a tree.
@Suite struct InputTests {
    private static let long = "/" + String(repeating: "x", count: 8 << 10)

    /// Calls `body` with a stream and expects that it is refused as what the caller may not ask for.
    private func refused(_ body: (ChangeWriter) throws -> Void) throws {
        let store = try Store(objects: MemoryObjectStore(), options: .tiny)
        let changes = store.beginChanges()
        let error = #expect(throws: SpileError.self) { try body(changes) }
        #expect(error?.code == .invalidArgument)
        changes.abandon()
    }

    @Test(arguments: ["/", "//", "/a/", "", long, "/a\0b", "/a\0"])
    func `no file can have such a path`(path: String) throws {
        try refused { try $0.add(path, [1]) }
        try refused { try $0.delete(path: path, datum: "d") }
        for append in [false, true] { try refused { try $0.put(.empty, path: path, datum: "d", append: append) } }
    }

    @Test(arguments: ["", "/a", "/a\0/", long + "/"])
    func `no directory can have such a path`(path: String) throws {
        try refused { try $0.deleteTree(prefix: path, datum: "d") }
    }

    @Test func `entries put behind each other again and again make a stream large, not its memory`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let changes = store.beginChanges()
        let source = try store.build([TreeKey(path: "/source", datum: "d"): [7, 8]])
        let entry = try #require(try store.entry(source, path: "/source", datum: "d"))
        for _ in 0..<2_000 { try changes.put(entry, path: "/all", datum: "d", append: true) }
        let set = try changes.finish()
        #expect(set.isLarge)
        let root = try store.applyLarge(set, to: .empty)
        let all = [[UInt8]](repeating: [7, 8], count: 2_000).flatMap { $0 }
        #expect(try store.contents(root) == [TreeKey(path: "/all", datum: "d"): all])
    }

    @Test func `bytes behind an entry make one piece, however they come`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let source = try store.build([TreeKey(path: "/source", datum: "d"): [7, 8]])
        let entry = try #require(try store.entry(source, path: "/source", datum: "d"))
        let changes = store.beginChanges()
        try changes.put(entry, path: "/all", datum: "d", append: false)
        for index in 0..<3_000 {
            let bytes = index % 2 == 0 ? [] : [UInt8(truncatingIfNeeded: index)]
            try bytes.withUnsafeBytes { try changes.add(path: "/all", datum: "d", bytes: $0) }
        }
        let set = try changes.finish()
        #expect(!set.isLarge)
        let root = try store.applyLarge(set, to: .empty)
        let all = [7, 8] + (0..<3_000).filter { $0 % 2 == 1 }.map { UInt8(truncatingIfNeeded: $0) }
        #expect(try store.contents(root) == [TreeKey(path: "/all", datum: "d"): all])
    }

    @Test func `a datum tag is bounded, too`() throws {
        try refused { try $0.add("/a", [1], datum: Self.long) }
        try refused { try $0.add("/a", [1], datum: "d\0") }
    }

    @Test func `a file at the root's path leaves what is below it alone`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        let root = try store.change(.empty) { try $0.add("/a", [1]) }
        #expect(throws: SpileError.self) { try store.change(root) { try $0.add("/", [1]) } }
        #expect(try store.keys(root).count == 1)
    }

    @Test func `a tree of the longest keys is sound`() throws {
        let store = try Store(objects: MemoryObjectStore(), options: .simulated)
        var model: [TreeKey: [UInt8]] = [:]
        for index in 100..<160 {
            let path = "/" + String(repeating: "y", count: TreeKey.longest - 6) + "\(index)"
            model[TreeKey(path: path, datum: "d")] = [UInt8(index)]
        }
        #expect(model.keys.allSatisfy { $0.description.utf8.count == TreeKey.longest })
        let root = try store.build(model)
        #expect(try store.contents(root) == model)
        #expect(try store.findings(root) == [])
    }

    @Test(arguments: [[], [1], [2] + [UInt8](repeating: 255, count: 80), [8] + [UInt8](repeating: 127, count: 60)])
    func `bytes that are no entry are refused`(bytes: [UInt8]) {
        #expect(throws: SpileError.self) { try FileEntry(encoded: bytes) }
    }
}
