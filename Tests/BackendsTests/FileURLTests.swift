import Backends
import Core
import Foundation
import Testing

/// Files of the server's own disk by URL: only below the folders that were named, whatever the path says.
@Suite final class FileURLTests {
    private let folder: String
    private let outside: String

    init() throws {
        let top = NSTemporaryDirectory() + "spile-urls-\(UUID().uuidString)"
        (folder, outside) = (top + "/given", top + "/outside")
        for path in [folder + "/sub/deeper", folder + "/empty", outside] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        try write("a", to: folder + "/a")
        try write("", to: folder + "/nothing")
        try write("b", to: folder + "/sub/b c.txt")
        try write("c", to: folder + "/sub/deeper/c")
        try write("secret", to: outside + "/secret")
    }

    deinit { try? FileManager.default.removeItem(atPath: (folder as NSString).deletingLastPathComponent) }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func link(_ path: String, to target: String) throws {
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    }

    private func fetch(
        _ url: String, recursive: Bool = false, folders: [String]? = nil
    ) async throws -> [String: String] {
        let fetcher = try URLFetcher(folders: folders ?? [folder], trustFile: nil)
        var files: [String: String] = [:]
        try await fetcher.fetch(try SourceURL(url), recursive: recursive) { rest, bytes in
            files[rest, default: ""] += String(decoding: bytes, as: UTF8.self)
        }
        await fetcher.close()
        return files
    }

    private func expect(
        _ code: SpileError.Code, _ url: String, recursive: Bool = false, folders: [String]? = nil, _ part: String = ""
    ) async {
        let error = await #expect(throws: SpileError.self, "\(url)") {
            _ = try await fetch(url, recursive: recursive, folders: folders)
        }
        #expect(error?.code == code, "\(url): \(error?.description ?? "")")
        #expect(part.isEmpty || error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    @Test func `a file gives its bytes, an empty one an empty piece`() async throws {
        #expect(try await fetch("file://\(folder)/a") == ["": "a"])
        #expect(try await fetch("file://localhost\(folder)/sub/b%20c.txt") == ["": "b"])
        #expect(try await fetch("FILE://\(folder)//sub/deeper/c?x#y") == ["": "c"])
        #expect(try await fetch("file://\(folder)/nothing") == ["": ""])
        #expect(try await fetch("file://\(folder)/a", recursive: true) == ["": "a"])
    }

    @Test func `a folder gives all files below it by their own paths, when asked`() async throws {
        #expect(
            try await fetch("file://\(folder)/", recursive: true) == [
                "/a": "a", "/nothing": "", "/sub/b c.txt": "b", "/sub/deeper/c": "c",
            ])
        #expect(try await fetch("file://\(folder)/sub", recursive: true) == ["/b c.txt": "b", "/deeper/c": "c"])
        #expect(try await fetch("file://\(folder)/empty", recursive: true) == [:])
        await expect(.unknown, "file://\(folder)/sub", "is a folder")
    }

    @Test func `a large file comes in pieces that are whole together`() async throws {
        let bytes = Data((0..<(3 << 20) + 5).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try bytes.write(to: URL(fileURLWithPath: folder + "/large"))
        let fetcher = try URLFetcher(folders: [folder], trustFile: nil)
        var found = Data()
        var pieces = 0
        try await fetcher.fetch(try SourceURL("file://\(folder)/large"), recursive: false) { _, piece in
            found.append(contentsOf: piece)
            pieces += 1
        }
        #expect(found == bytes)
        #expect(pieces >= 4)
    }

    @Test func `nothing outside of the folders is given, and no folders give nothing`() async throws {
        await expect(.permissionDenied, "file://\(outside)/secret", "--allow-file-urls")
        await expect(.permissionDenied, "file://\(folder)x/secret")
        await expect(.permissionDenied, "file:///etc/passwd")
        await expect(.permissionDenied, "file://\(folder)/a", folders: [], "--allow-file-urls")
        // Whether something is there is not told either.
        await expect(.permissionDenied, "file://\(outside)/none")
    }

    @Test func `no spelling of a path leads out`() async throws {
        await expect(.permissionDenied, "file://\(folder)/../outside/secret")
        await expect(.permissionDenied, "file://\(folder)/sub/%2e%2e/a")
        await expect(.invalidArgument, "file://\(folder)/a%00b")
        await expect(.invalidArgument, "file://\(folder)/a%zz")
        await expect(.invalidArgument, "file://otherhost\(folder)/a", "another machine")
        await expect(.permissionDenied, "file://\(folder)/..%2foutside/secret")
    }

    @Test func `symbolic links are not followed, wherever they lead`() async throws {
        try link(folder + "/file", to: outside + "/secret")
        try link(folder + "/dir", to: outside)
        try link(folder + "/sub/inside", to: folder + "/a")
        await expect(.permissionDenied, "file://\(folder)/file", "symbolic link")
        await expect(.permissionDenied, "file://\(folder)/dir/secret", "symbolic link")
        await expect(.permissionDenied, "file://\(folder)/dir", recursive: true, "symbolic link")
        await expect(.permissionDenied, "file://\(folder)/sub", recursive: true, "symbolic link")
        // What the server was started with is its owner's choice.
        let alias = outside + "/alias"
        try link(alias, to: folder)
        #expect(try await fetch("file://\(alias)/a", folders: [alias]) == ["": "a"])
        #expect(try await fetch("file://\(folder)/a", folders: [alias]) == ["": "a"])
    }

    @Test func `what is not there, and what is no file, is said`() async throws {
        await expect(.notFound, "file://\(folder)/none", "is not there")
        await expect(.notFound, "file://\(folder)/a/b")
        #expect(mkfifo(folder + "/pipe", 0o600) == 0)
        await expect(.permissionDenied, "file://\(folder)/pipe", "neither a file nor a folder")
        #expect(throws: SpileError.self) { _ = try URLFetcher(folders: [folder + "/none"], trustFile: nil) }
        #expect(throws: SpileError.self) { _ = try URLFetcher(folders: [folder + "/a"], trustFile: nil) }
    }

    @Test func `object stores say that they are not offered`() async throws {
        await expect(.unimplemented, "s3://bucket/key", "s3")
    }
}
