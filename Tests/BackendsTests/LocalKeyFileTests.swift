import Backends
import Core
import Foundation
import Testing

@Suite struct LocalKeyFileTests {
    private func withFile(_ body: (LocalKeyFile) throws -> Void) throws {
        try CatalogBackend.sqlite.withFolder { try body(LocalKeyFile($0 + "/secrets.key")) }
    }

    private let key = [UInt8](0..<32)

    @Test func aKeyIsForItsOwnerAloneAndNeverReplaced() throws {
        try withFile { file in
            #expect(try file.read() == nil)
            #expect(try file.make(key) == key)
            let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(try file.make([UInt8](repeating: 9, count: 32)) == key, "whoever was first made it")
            #expect(try file.read() == key)
            let folder = URL(fileURLWithPath: file.path).deletingLastPathComponent().path
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["secrets.key"])
        }
    }

    @Test func whatACrashLeftIsNoHindrance() throws {
        try withFile { file in
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: file.path + ".new"))
            #expect(try file.make(key) == key)
        }
    }

    @Test func aFileThatIsNoKeyOrOpenToAllIsRefused() throws {
        try withFile { file in
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: file.path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            #expect(try #require(throws: SpileError.self) { try file.read() }.code == .dataLoss)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
            let error = try #require(throws: SpileError.self) { try file.read() }
            #expect(error.code == .failedPrecondition && error.remedy == "chmod 600 \(file.path)")
        }
    }
}
