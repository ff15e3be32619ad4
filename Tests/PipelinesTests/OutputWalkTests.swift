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

/// What a program leaves in `/pfs/out`.
@Suite struct OutputWalkTests {
    /// Where each file goes and what it is made of, in short.
    private static func summary(_ files: [OutputFile]) -> [String] {
        files.map { file in
            switch file.source {
            case .local: "\(file.path) \((try? bytes(file).count) ?? -1)"
            case .input(let name, let path): "\(file.path) = \(name):\(path)"
            }
        }
    }

    private static func bytes(_ file: OutputFile) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try file.readLocal { bytes += $0 }
        return bytes
    }

    private static func refusal(_ scene: InputScene, _ pfs: PfsFolder) async throws -> String {
        let error = try await #require(throws: SpileError.self) { try await scene.outputs(pfs) }
        return "\(error)"
    }

    @Test func aFolderThatBecomesALinkLeadsNowhere() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        try pfs.write("mine", to: "out/d/name")
        let secret = scene.folder.path + "/secret"
        try FileManager.default.createDirectory(atPath: secret, withIntermediateDirectories: false)
        try "not theirs".write(toFile: secret + "/name", atomically: false, encoding: .utf8)
        let file = try #require(try await scene.outputs(pfs).first)
        var bytes: [UInt8] = []
        try file.readLocal(within: pfs.folder) { bytes += $0 }
        #expect(bytes == Array("mine".utf8))
        // The program runs still, and swaps what is being read.
        try FileManager.default.moveItem(atPath: pfs.path + "/out/d", toPath: pfs.path + "/out/e")
        try pfs.link("out/d", to: secret)
        let error = #expect(throws: SpileError.self) { try file.readLocal(within: pfs.folder) { _ in } }
        #expect(error?.message.contains("/pfs/out/d/name was put elsewhere") == true)
    }

    @Test func filesComeInTheOrderOfPathsAndFoldersAndFIFOsDoNotCount() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        for name in ["b", "a/x", "a.txt", "a/b/c", "a0", "é", "B"] { try pfs.write(name, to: "out/" + name) }
        try FileManager.default.createDirectory(atPath: pfs.path + "/out/empty", withIntermediateDirectories: false)
        mkfifo(pfs.path + "/out/fifo", 0o600)
        let files = try await scene.outputs(pfs)
        #expect(files.map(\.path) == ["/B", "/a.txt", "/a/b/c", "/a/x", "/a0", "/b", "/é"])
        let texts = try files.map { "/" + String(decoding: try Self.bytes($0), as: UTF8.self) }
        #expect(texts == files.map(\.path))
    }

    @Test func aFolderOfMoreNamesThanAreHeldAtOnceComesWholeAndInOrder() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        let names = (0..<50).map { "f\($0)" }
        for name in names { try pfs.write("x", to: "out/" + (name == "f3" ? "f3/in" : name)) }
        var walk = OutputWalk(view: PfsView(folder: pfs.folder), marks: [], lazyNodes: [], followsLinksOut: false)
        for batch in [1, 2, 3, 49, 50, 51, 1000] {
            walk.batch = batch
            var paths: [String] = []
            try await walk.run { paths.append($0.path) }
            #expect(paths == (names.map { "/" + $0 }.filter { $0 != "/f3" } + ["/f3/in"]).sorted(), "\(batch)")
        }
    }

    @Test func linksToUntouchedInputsAreReportedAsSuch() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/d/f": "one", "/d/g": "two", "/h": "three"])
        let pfs = try await scene.lay([
            try scene.input(), try scene.input(name: "lazy", form: .lazy), try scene.input(name: "empty", form: .empty),
        ])
        try pfs.link("out/a", to: "/pfs/in/d/f")
        try pfs.link("out/b", to: "../in/h")
        try pfs.link("out/c", to: "/pfs/in/d")
        try pfs.link("out/e", to: "/pfs/lazy/h")
        try pfs.link("out/f", to: "/pfs/empty/d/g")
        try pfs.link("out/g", to: "b")
        try await pfs.finish()
        #expect(
            Self.summary(try await scene.outputs(pfs)) == [
                "/a = in:/d/f", "/b = in:/h", "/c/f = in:/d/f", "/c/g = in:/d/g", "/e = lazy:/h", "/f = empty:/d/g",
                "/g = in:/h",
            ])
    }

    @Test func whatTheProgramChangedOfItsInputsIsContent() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/same": "12345", "/other": "12345", "/copied": "12345", "/kept": "12345"])
        let pfs = try await scene.lay([try scene.input(), try scene.input("/kept", name: "empty", form: .empty)])
        try pfs.write("54321", to: "in/same")
        try pfs.write("1", to: "in/other")
        try pfs.write("new", to: "in/new")
        try pfs.write("filled", to: "empty/kept")
        // As `cp -p` would: size and time are those of another file of the same commit.
        let source = try #require(LocalFile.status(pfs.path + "/in/kept"))
        try pfs.write("abcde", to: "in/copied")
        utimensat(AT_FDCWD, pfs.path + "/in/copied", [source.st_atim, source.st_mtim], 0)
        for name in ["same", "other", "new", "copied", "kept"] { try pfs.link("out/" + name, to: "/pfs/in/" + name) }
        try pfs.link("out/filled", to: "/pfs/empty/kept")
        let files = try await scene.outputs(pfs)
        #expect(
            Self.summary(files) == [
                "/copied 5", "/filled 6", "/kept = in:/kept", "/new 3", "/other 1", "/same 5",
            ])
        #expect(try Self.bytes(files[5]) == Array("54321".utf8))
    }

    @Test func linksToOtherFilesAreTheirContent() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        try "outside".write(toFile: scene.folder.path + "/file", atomically: true, encoding: .utf8)
        try pfs.write("inside", to: "out/d/real")
        try pfs.link("out/a", to: scene.folder.path + "/file")
        try pfs.link("out/b", to: "d/real")
        let files = try await scene.outputs(pfs)
        #expect(Self.summary(files) == ["/a 7", "/b 6", "/d/real 6"])
        #expect(try Self.bytes(files[0]) == Array("outside".utf8))
    }

    @Test(
        arguments: [PfsOwner.everybody, .user(UInt32(geteuid()), group: UInt32(getegid()))],
        ["/etc/passwd", "../../../../../etc/passwd"])
    func whereTheProgramCouldNotReadAsTheServerCanNoLinkLeadsOut(_ owner: PfsOwner, _ target: String) async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([], owner: owner)
        try pfs.link("out/a", to: target)
        let text = try await Self.refusal(scene, pfs)
        #expect(text.contains("/pfs/out/a is a link to /etc/passwd, which is not below /pfs"), "\(text)")
        #expect(text.contains("let the program copy into /pfs/out"), "\(text)")
    }

    @Test(arguments: [
        ("/no/such", "is a link to /no/such, which is not there"), ("gone", "which is not there"),
        ("a", "leads back to itself"), (".", "leads back to itself"), ("/pfs", "leads back to itself"),
        ("/dev/null", "which is no file"), ("/etc", "which is no file"),
    ])
    func aLinkThatLeadsToNoFileIsAnError(_ target: String, _ text: String) async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        try pfs.link("out/a", to: target)
        #expect(try await Self.refusal(scene, pfs).contains("/pfs/out/a"))
        #expect(try await Self.refusal(scene, pfs).contains(text))
    }

    @Test func namesThatNoCommitTakesAreToldByTheirPath() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        try pfs.write("x", to: "out/d/a*b")
        #expect(try await Self.refusal(scene, pfs).contains("/pfs/out/d/a*b: globbing character"))
        unlink(pfs.path + "/out/d/a*b")
        let strange = Array((pfs.path + "/out/d/").utf8.map { CChar(bitPattern: $0) }) + [-1, 0]
        close(creat(strange, 0o600))
        #expect(try await Self.refusal(scene, pfs).contains("the name is not UTF-8"))
    }

    @Test func anOutputFolderThatIsGoneOrALinkIsAnError() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        rmdir(pfs.path + "/out")
        #expect(try await Self.refusal(scene, pfs).contains("in the place of the folder /pfs/out"))
        try pfs.link("out", to: "/etc")
        #expect(try await Self.refusal(scene, pfs).contains("in the place of the folder /pfs/out"))
    }
}
