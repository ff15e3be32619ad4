import Core
import Foundation
import Testing
import Versioning

@testable import Pipelines

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Files that are filled when they are opened.
@Suite(.timeLimit(.minutes(15))) struct LazyInputTests {
    private static func read(_ path: String) throws -> [UInt8] {
        Array(try #require(FileHandle(forReadingAtPath: path)).readToEnd() ?? Data())
    }

    /// Opens a file and reads its first byte alone.
    private static func begin(_ path: String) throws -> FileHandle {
        let file = try #require(FileHandle(forReadingAtPath: path))
        #expect(try file.read(upToCount: 1)?.count == 1)
        return file
    }

    @Test func eachIsFilledWhenItIsOpened() async throws {
        let scene = try await InputScene()
        let big = String((0..<200_000).map { "\($0) " }.joined())
        try await scene.commit(["/a/big": big, "/small": "s", "/empty": ""])
        let pfs = try await scene.lay([try scene.input(form: .lazy)])
        for (name, text) in [("a/big", big), ("small", "s"), ("empty", "")] {
            #expect(LocalFile.status(pfs.path + "/in/" + name)?.isFIFO == true)
            let bytes = try await onOwnThread { try Self.read(pfs.path + "/in/" + name) }
            #expect(bytes == Array(text.utf8), "\(name)")
        }
        try await pfs.finish()
        try await pfs.remove()
    }

    @Test func manyAreReadSideBySide() async throws {
        let scene = try await InputScene()
        let names = (0..<100).map { "/f\($0)" }
        try await scene.commit(Dictionary(uniqueKeysWithValues: names.map { ($0, String(repeating: $0, count: 9000)) }))
        let pfs = try await scene.lay([try scene.input(form: .lazy)])
        try await withThrowingTaskGroup(of: (String, [UInt8]).self) { group in
            for name in names {
                group.addTask { (name, try await onOwnThread { try Self.read(pfs.path + "/in" + name) }) }
            }
            for try await (name, bytes) in group { #expect(bytes == Array(String(repeating: name, count: 9000).utf8)) }
        }
        try await pfs.remove()
    }

    @Test func aReaderThatGoesEarlyHindersNobody() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/big": String(repeating: "x", count: 1 << 20), "/next": "n"])
        let pfs = try await scene.lay([try scene.input(form: .lazy)])
        try await onOwnThread { try Self.begin(pfs.path + "/in/big").close() }
        #expect(try await onOwnThread { try Self.read(pfs.path + "/in/next") } == Array("n".utf8))
        try await pfs.finish()
        try await pfs.remove()
    }

    @Test func theEndComesAlsoWhereNobodyOpenedOrReadToTheEnd() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/never": "x", "/stuck": String(repeating: "x", count: 1 << 20)])
        let pfs = try await scene.lay([try scene.input(form: .lazy)])
        let stuck = try await onOwnThread { try Self.begin(pfs.path + "/in/stuck") }
        try await pfs.finish()
        try await pfs.finish()
        try stuck.close()
        try await pfs.remove()
        #expect(access(scene.folder.path + "/datum", F_OK) != 0)
    }

    @Test func aFileThatCannotBeReadIsToldAtTheEnd() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a": "x"])
        let path = scene.folder.path + "/fifo"
        mkfifo(path, 0o600)
        let info = try #require(LocalFile.status(path))
        let readers = LazyReaders([LazySource(name: "/lost", files: try scene.input().files)])
        let feeder = try LazyFeeder([LazyFile(path: path, node: FileNode(info), number: 0)]) {
            try readers.read($0, from: $1)
        }
        feeder.start()
        #expect(try await onOwnThread { try Self.read(path) } == [])
        let error = try await #require(throws: SpileError.self) { try await feeder.end() }
        #expect("\(error)".contains("cannot read /lost of commit") && error.code == .notFound, "\(error)")
    }

    @Test func aFileThatTheProgramPutInItsPlaceIsLeftAlone() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a": "lazy", "/b": "lazy"])
        let pfs = try await scene.lay([try scene.input(form: .lazy)])
        unlink(pfs.path + "/in/a")
        try pfs.write("own", to: "in/a")
        #expect(try await onOwnThread { try Self.read(pfs.path + "/in/b") } == Array("lazy".utf8))
        #expect(try pfs.text("in/a") == "own")
        try await pfs.remove()
    }
}
