import Backends
import Core
import Foundation
import Testing

/// The databases that a catalog can live in. One more case, and the whole suite runs for it too.
enum CatalogBackend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case sqlite
    #if PostgreSQL
        case postgres
    #endif

    var testDescription: String { rawValue }

    /// Opens the catalog that lives at `folder`, empty the first time.
    func open(_ folder: String) throws -> any Catalog {
        switch self {
        case .sqlite: return try SQLiteCatalog(path: folder + "/catalog.sqlite")
        #if PostgreSQL
            case .postgres:
                let name = "c" + folder.filter { $0.isLetter || $0.isNumber }.suffix(40).lowercased()
                return try PostgresCatalog(PostgresServer.shared.get().database(name))
        #endif
        }
    }

    /// Runs `body` with a folder of its own, removed afterwards.
    func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "spile-catalog-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    /// Runs `body` with an empty catalog.
    func withCatalog(_ body: (any Catalog) throws -> Void) throws {
        try withFolder { folder throws in
            let catalog = try open(folder)
            defer { try? catalog.close() }
            try body(catalog)
        }
    }
}

/// One rule that every catalog keeps.
struct CatalogRule: Sendable, CustomTestStringConvertible {
    let name: String
    let check: @Sendable (any Catalog) throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (any Catalog) throws -> Void) {
        self.name = name
        self.check = check
    }

    var testDescription: String { name }
}

@Suite struct CatalogConformanceTests {
    @Test(arguments: CatalogBackend.allCases, CatalogSuite.all)
    func `a catalog keeps the rule`(backend: CatalogBackend, rule: CatalogRule) throws {
        try backend.withCatalog(rule.check)
    }

    @Test(arguments: CatalogBackend.allCases)
    func `what was written is there after reopening and numbers are not given out again`(
        backend: CatalogBackend
    ) throws {
        try backend.withFolder { folder throws in
            let first = try backend.open(folder)
            let (repo, last) = try first.write { writer throws in
                let repo = try writer.makeRepo("a")
                let branch = try writer.makeBranch("master", in: repo)
                let kept = try writer.makeCommit(1, in: repo, branch: branch)
                let dropped = try writer.makeCommit(2, in: repo, branch: branch, parent: kept.sequence)
                try writer.setSetting("name", to: "value")
                try writer.deleteCommit(sequence: dropped.sequence)
                return (repo, dropped.sequence)
            }
            let before = try first.read { try $0.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 10) }
            try first.close()
            let second = try backend.open(folder)
            defer { try? second.close() }
            try second.read { reader throws in
                #expect(try reader.setting("name") == "value")
                #expect(try reader.repo(repo.key) == repo)
                #expect(try reader.commits(repo: nil, order: .oldestFirst, beyond: nil, limit: 10) == before)
                #expect(try reader.lastSequence() == last)
            }
            let next = try second.write { try $0.makeCommit(3, in: repo, branch: nil).sequence }
            #expect(next > last)
        }
    }

    @Test(arguments: CatalogBackend.allCases)
    func `a copy is the catalog as it was, while that goes on`(backend: CatalogBackend) throws {
        try backend.withFolder { folder throws in
            try backend.withFolder { other throws in
                let first = try backend.open(folder)
                defer { try? first.close() }
                let kept = try first.write { try $0.makeRepo("a") }
                let path = other + "/catalog.sqlite"
                try first.copy(to: path)
                _ = try first.write { try $0.makeRepo("b") }
                let again = #expect(throws: SpileError.self) { try first.copy(to: path) }
                #expect(again?.code == .alreadyExists)
                // Whatever it is a copy of, it is one file.
                let copy = try SQLiteCatalog(path: path)
                defer { try? copy.close() }
                #expect(try copy.read { try $0.repos(in: nil, type: nil) } == [kept])
                _ = try copy.write { try $0.makeRepo("c") }
                #expect(try first.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["a", "b"])
            }
        }
    }

    @Test(arguments: CatalogBackend.allCases)
    func `a transaction that was not ended is not there after reopening`(backend: CatalogBackend) throws {
        try backend.withFolder { folder throws in
            let first = try backend.open(folder)
            #expect(throws: CatalogSuite.Abandoned.self) {
                try first.write { writer throws in
                    _ = try writer.makeRepo("a")
                    throw CatalogSuite.Abandoned()
                }
            }
            try first.close()
            let second = try backend.open(folder)
            defer { try? second.close() }
            #expect(try second.read { try $0.repos(in: nil, type: nil) } == [])
        }
    }
}
