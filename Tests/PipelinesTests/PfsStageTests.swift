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

/// A datum's folder in and out of the place that a worker's code sees.
@Suite struct PfsStageTests {
    private let files = [WorkerFile(path: "c.json", bytes: Array("{}".utf8), mode: 0o600)]

    @Test func aFolderEntersAndLeavesWithAllThatWasMade() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a/f": "one"])
        let stage = try PfsStage.make(at: scene.folder.path + "/stage", owner: .server)
        for round in 0..<2 {
            var pfs = try await PfsFolder.lay(
                [try scene.input(), try scene.input(name: "empty", form: .empty)], variables: [("V", "\(round)")],
                at: scene.folder.path + "/datum", owner: .server, isForStage: true)
            try pfs.enter(stage)
            #expect(TemporaryFolder.names(of: stage.path) == [".env", ".scratch", "empty", "in", "out"])
            #expect(TemporaryFolder.names(of: pfs.path) == [])
            try "made".write(toFile: stage.path + "/out/g", atomically: false, encoding: .utf8)
            symlink("/pfs/in/a/f", stage.path + "/out/link")
            try "stray".write(toFile: stage.path + "/stray", atomically: false, encoding: .utf8)
            try await pfs.finish()
            try pfs.leave(stage)
            #expect(TemporaryFolder.names(of: stage.path) == [".scratch"])
            #expect(try pfs.text(".env") == "V=\(round)\n")
            let outputs = try await scene.outputs(pfs)
            #expect(outputs.map(\.path) == ["/g", "/link"])
            // The input's own file, by reference.
            if case .input(let name, let path) = outputs[1].source {
                #expect(name == "in" && path == "/a/f")
            } else {
                Issue.record("a link to an input was not known for one")
            }
            try await pfs.remove()
        }
        try stage.remove()
        #expect(access(stage.folder, F_OK) != 0)
    }

    /// What a server can do that is no superuser, whose code took away the right to write.
    @Test func foldersThatCodeHasClosedStillLeave() async throws {
        let folder = TemporaryFolder()
        let stage = try PfsStage.make(at: folder.path + "/stage", owner: .server)
        let closed = ["out", "in", "stray"]
        for name in closed {
            try FileManager.default.createDirectory(
                atPath: "\(stage.path)/\(name)/below", withIntermediateDirectories: true)
        }
        let target = folder.path + "/datum"
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        for path in [folder.path, stage.folder, stage.path, target] + closed.map({ stage.path + "/" + $0 }) {
            chown(path, 65_534, 65_534)
        }
        for name in closed { chmod("\(stage.path)/\(name)", 0o500) }
        try await onOwnThread {
            // Of this thread alone; without it the superuser's rights hide the fault. No header of Swift's has it.
            let symbol = try #require(dlsym(nil, "setfsuid"))
            let setUser = unsafeBitCast(symbol, to: (@convention(c) (uid_t) -> Int32).self)
            if geteuid() == 0 { _ = setUser(65_534) }
            try stage.move(to: target)
        }
        #expect(TemporaryFolder.names(of: stage.path) == [".scratch"])
        #expect(TemporaryFolder.names(of: target) == closed.sorted())
    }

    @Test func lazyFilesAreFedWhileTheyAreOnTheStage() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a": "one", "/b": "two"])
        let stage = try PfsStage.make(at: scene.folder.path + "/stage", owner: .server)
        var pfs = try await PfsFolder.lay(
            [try scene.input(form: .lazy)], at: scene.folder.path + "/datum", owner: .server, isForStage: true)
        try pfs.enter(stage)
        let bytes = try await onOwnThread {
            try FileHandle(forReadingAtPath: stage.path + "/in/b")?.readToEnd() ?? Data()
        }
        #expect(String(decoding: bytes, as: UTF8.self) == "two")
        symlink("/pfs/in/a", stage.path + "/out/a")
        try await pfs.finish()
        try pfs.leave(stage)
        #expect(try await scene.outputs(pfs).map(\.path) == ["/a"])
        try await pfs.remove()
        try stage.remove()
    }

    @Test func aJobsFilesTakeThePlaceOfTheLastOnes() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let stage = try PfsStage.make(at: folder.path + "/stage", owner: .everybody)
        #expect(try stage.keep(files) == ["/pfs/.scratch/c.json"])
        let other = WorkerFile(path: "c.json", bytes: Array("[]".utf8), mode: 0o600)
        #expect(try stage.keep([other]) == ["/pfs/.scratch/c.json"])
        let path = stage.path + "/.scratch/c.json"
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "[]")
        #expect(LocalFile.status(path).map { $0.st_mode & 0o777 } == 0o644)
        #expect(TemporaryFolder.names(of: stage.path + "/.scratch") == ["c.json"])
    }

    @Test func codeCannotHaveFilesWrittenElsewhere() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let stage = try PfsStage.make(at: folder.path + "/stage", owner: .server)
        mkdir(folder.path + "/elsewhere", 0o755)
        rmdir(stage.path + "/.scratch")
        symlink(folder.path + "/elsewhere", stage.path + "/.scratch")
        #expect(throws: SpileError.self) { try stage.keep(files) }
        #expect(TemporaryFolder.names(of: folder.path + "/elsewhere") == [])
    }

    @Test func aFolderThatCannotLeaveIsAnErrorThatNamesIt() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a": "one"])
        let stage = try PfsStage.make(at: scene.folder.path + "/stage", owner: .server)
        var pfs = try await PfsFolder.lay(
            [try scene.input()], at: scene.folder.path + "/datum", owner: .server, isForStage: true)
        try pfs.enter(stage)
        try FileManager.default.createDirectory(atPath: pfs.path + "/in/f", withIntermediateDirectories: true)
        let error = try #require(throws: SpileError.self) { try pfs.leave(stage) }
        #expect("\(error)".contains("/in"), "\(error)")
    }

    @Test(.enabled(if: geteuid() == 0)) func theStageIsTheUsersAndWhatIsTheWorkersIsNot() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let stage = try PfsStage.make(at: folder.path + "/stage", owner: .user(65534, group: 12))
        _ = try stage.keep(files)
        #expect(LocalFile.status(stage.path)?.st_uid == 65534)
        #expect(LocalFile.status(stage.path + "/.scratch")?.st_uid == 0)
        #expect(LocalFile.status(stage.path + "/.scratch/c.json")?.st_uid == 65534)
    }
}
