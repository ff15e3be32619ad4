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

/// What a program finds at `/pfs` before it starts.
@Suite struct PfsFolderTests {
    @Test func filesStandUnderTheNameOfTheirInputAndTheirFullPath() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a/b/c": "one", "/a/d": "two", "/e": "three", "/a/b2": "no"])
        let pfs = try await scene.lay([
            try scene.input("/a/b", name: "x"), try scene.input("/a/d/", name: "x"), try scene.input("/", name: "y"),
        ])
        #expect(try pfs.tree("x") == ["a/", "a/b/", "a/b/c", "a/d"])
        #expect(try pfs.tree("y") == ["a/", "a/b/", "a/b/c", "a/b2", "a/d", "e"])
        #expect(try pfs.text("x/a/b/c") == "one" && pfs.text("x/a/d") == "two" && pfs.text("y/e") == "three")
        #expect(try pfs.tree("out") == [])
    }

    @Test func contentIsWholeAcrossManyPieces() async throws {
        let scene = try await InputScene()
        let text = String((0..<300_000).map { "\($0) " }.joined())
        try await scene.commit(["/big": text, "/empty": ""])
        let pfs = try await scene.lay([try scene.input()])
        #expect(try pfs.text("in/big") == text)
        #expect(try pfs.text("in/empty") == "")
    }

    @Test func anInputWithoutFilesIsAnEmptyFolderAndAMissingPathIsAnError() async throws {
        let scene = try await InputScene()
        try await scene.commit([:])
        let pfs = try await scene.lay([try scene.input("/")])
        #expect(try pfs.tree("in") == [])
        try await pfs.remove()
        let error = try await #require(throws: SpileError.self) { try await scene.lay([try scene.input("/no/such")]) }
        #expect(error.code == .notFound)
        #expect("\(error)".contains("there is no file /no/such in commit"))
        #expect(access(scene.folder.path + "/datum", F_OK) != 0, "a folder that could not be laid out is left")
    }

    @Test func emptyFilesHaveTheirNamesAlone() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a/b": "text", "/c": "text"])
        let pfs = try await scene.lay([try scene.input(form: .empty)])
        #expect(try pfs.tree("in") == ["a/", "a/b", "c"])
        #expect(try pfs.text("in/a/b") == "" && pfs.text("in/c") == "")
    }

    @Test func variablesAreLinesOfDotEnv() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([], variables: [("in", "/pfs/in/a b"), ("E", ""), ("TWO", "x\n\"y\\")])
        #expect(try pfs.text(".env") == "in=/pfs/in/a b\nE=\nTWO=\"x\\n\\\"y\\\\\"\n")
    }

    @Test(arguments: ["", ".", "..", "a/b", "../x", "out", ".env", "a\0b"])
    func anInputsNameStaysWithinPfs(_ name: String) async throws {
        let scene = try await InputScene()
        try await scene.commit(["/f": "x"])
        let error = try await #require(throws: SpileError.self) { try await scene.lay([try scene.input(name: name)]) }
        #expect(error.code == .invalidArgument)
        #expect(TemporaryFolder.names(of: scene.folder.path).filter { !$0.hasPrefix("catalog") } == [])
    }

    @Test(arguments: ["/in/../x", "/in/..", "/in/./x", "/in//x", "/in/a\0b", "/in/a/../../../x"])
    func noPathOfAStoreNamesAPlaceOutside(_ place: String) {
        #expect(throws: SpileError.self) { try InputWalk.checked(place) }
        #expect((try? InputWalk.checked("/in/...a/..b/c")) != nil)
    }

    @Test func aNameThatTheDiskCannotHoldIsToldByItsPath() async throws {
        let scene = try await InputScene()
        let name = String(repeating: "n", count: 256)
        try await scene.commit(["/a/\(name)": "x"])
        let error = try await #require(throws: SpileError.self) { try await scene.lay([try scene.input()]) }
        #expect(error.code == .invalidArgument)
        #expect("\(error)".contains("/pfs/in/a/nnn") && "\(error)".contains("File name too long"))
    }

    @Test func onlyTheServersUserGetsIntoTheFolderAround() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a/f": "x"])
        let pfs = try await scene.lay(
            [try scene.input(), try scene.input(name: "lazy", form: .lazy)], owner: .everybody)
        func mode(_ path: String) -> UInt32 { LocalFile.status(path).map { UInt32($0.st_mode) & 0o777 } ?? 0 }
        #expect(mode(scene.folder.path + "/datum") == 0o700)
        for name in ["", "/out", "/in", "/in/a", "/lazy/a"] { #expect(mode(pfs.path + name) == 0o777, "\(name)") }
        for name in ["/in/a/f", "/.env", "/lazy/a/f"] { #expect(mode(pfs.path + name) == 0o666, "\(name)") }
        try await pfs.remove()
    }

    @Test(.enabled(if: geteuid() == 0)) func allBelongsToTheUserOfTheProgram() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a/f": "x"])
        let pfs = try await scene.lay(
            [try scene.input("/a/f"), try scene.input(name: "lazy", form: .lazy)], owner: .user(65534, group: 12))
        for name in ["", "/out", "/in", "/in/a", "/in/a/f", "/.env", "/lazy", "/lazy/a/f"] {
            let info = try #require(LocalFile.status(pfs.path + name))
            #expect(info.st_uid == 65534 && info.st_gid == 12, "\(name)")
        }
        try await pfs.remove()
    }

    @Test func removalLeavesNothingWhateverTheProgramMade() async throws {
        let scene = try await InputScene()
        try await scene.commit(["/a/f": "x"])
        try "kept".write(toFile: scene.folder.path + "/other", atomically: true, encoding: .utf8)
        let pfs = try await scene.lay([try scene.input()])
        try pfs.link("out/link", to: scene.folder.path + "/other")
        try pfs.link("out/folder", to: scene.folder.path)
        for name in ["locked/inner/f", "locked/empty/f", "1/2/3/f", "2/1/f"] { try pfs.write("x", to: "out/" + name) }
        unlink(pfs.path + "/out/locked/empty/f")
        var strange = Array((pfs.path + "/out/").utf8) + [0xff, 0xfe, 0]
        strange.withUnsafeMutableBytes { _ = mkdir($0.bindMemory(to: CChar.self).baseAddress!, 0o755) }
        for name in ["out/locked/inner", "out/locked/empty", "out/locked", "in/a"] {
            chmod(pfs.path + "/" + name, 0o500)
        }
        chmod(pfs.path + "/out/1", 0)
        try await pfs.remove()
        #expect(access(scene.folder.path + "/datum", F_OK) != 0)
        #expect(access(scene.folder.path + "/other", F_OK) == 0)
        try await pfs.remove()
    }

    @Test func removalGoesAsDeepAsAnyProgramDoes() async throws {
        let scene = try await InputScene()
        let pfs = try await scene.lay([])
        // Deeper than a path can be long and than files may be open.
        var here = open(pfs.path + "/out", O_RDONLY | O_DIRECTORY)
        for _ in 0..<5000 {
            mkdirat(here, "d", 0o755)
            let next = openat(here, "d", O_RDONLY | O_DIRECTORY)
            close(here)
            here = next
        }
        #expect(here >= 0)
        close(here)
        try await pfs.remove()
        #expect(access(scene.folder.path + "/datum", F_OK) != 0)
    }
}
