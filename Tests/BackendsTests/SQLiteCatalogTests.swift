import Backends
import Core
import Foundation
import Testing

/// What is SQLite's own: durability, the file, its version.
@Suite struct SQLiteCatalogTests {
    private func withPath(_ body: (String) throws -> Void) throws {
        try CatalogBackend.sqlite.withFolder { try body($0 + "/catalog.sqlite") }
    }

    @Test func `the writer syncs each transaction`() throws {
        try withPath { path throws in
            let catalog = try SQLiteCatalog(path: path)
            defer { try? catalog.close() }
            #expect(try catalog.synchronousLevel() == 2)
            for number in 1...3 as ClosedRange<UInt64> {
                _ = try catalog.write { try $0.makeCommit(number, in: try $0.makeRepo("r\(number)"), branch: nil) }
                #expect(try catalog.synchronousLevel() == 2)
            }
        }
    }

    @Test func `what was committed is in the files while the catalog is still open`() throws {
        try withPath { path throws in
            let catalog = try SQLiteCatalog(path: path)
            defer { try? catalog.close() }
            let repo = try catalog.write { try $0.makeRepo("a") }
            let copy = path + "-copy"
            for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix)
            }
            let other = try SQLiteCatalog(path: copy)
            defer { try? other.close() }
            #expect(try other.read { try $0.repo(repo.key) } == repo)
        }
    }

    @Test(arguments: [0, 1, 2, 3, 100])
    func `a torn end of the log takes whole transactions only`(hundredths: Int) throws {
        try withPath { path throws in
            let catalog = try SQLiteCatalog(path: path)
            defer { try? catalog.close() }
            for number in 1...20 as ClosedRange<UInt64> {
                try catalog.write { writer throws in
                    _ = try writer.makeCommit(number, in: try writer.makeRepo("r\(number)"), branch: nil)
                    try writer.setSetting("last", to: "\(number)")
                }
            }
            let copy = path + "-copy"
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            var log = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
            log.removeLast(hundredths * 1013)
            try log.write(to: URL(fileURLWithPath: copy + "-wal"))
            let other = try SQLiteCatalog(path: copy)
            defer { try? other.close() }
            try other.read { reader throws in
                let last = Int(try reader.setting("last") ?? "0") ?? 0
                #expect(try reader.repos(in: nil, type: nil).count == last)
                #expect(try reader.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 99).count == last)
                if hundredths == 0 { #expect(last == 20) }
            }
        }
    }

    @Test func `a file of a newer schema is refused and left as it is`() throws {
        try withPath { path throws in
            try SQLiteCatalog(path: path).close()
            // The version stands at byte 60 of the file, big-endian.
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try file.seek(toOffset: 60)
            try file.write(contentsOf: Data([0, 0, 0, UInt8(SQLiteCatalog.schemaVersion + 1)]))
            try file.close()
            let before = try Data(contentsOf: URL(fileURLWithPath: path))
            let error = #expect(throws: SpileError.self) { _ = try SQLiteCatalog(path: path) }
            #expect(error?.code == .failedPrecondition)
            let known = SQLiteCatalog.schemaVersion
            #expect(error?.message.contains("has schema \(known + 1), this program knows up to \(known)") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        }
    }

    @Test func `a file that is not a database is refused and left as it is`() throws {
        try withPath { path throws in
            let text = Data(String(repeating: "not a database\n", count: 1000).utf8)
            try text.write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: SpileError.self) { _ = try SQLiteCatalog(path: path) }
            #expect(error?.code == .dataLoss)
            #expect(error?.message.contains(path) == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == text)
        }
    }

    @Test func `a folder that is not there is told as such`() throws {
        try withPath { path throws in
            let missing = path + "/none/catalog.sqlite"
            let error = #expect(throws: SpileError.self) { _ = try SQLiteCatalog(path: missing) }
            #expect(error?.message.contains(missing) == true)
        }
    }
}
