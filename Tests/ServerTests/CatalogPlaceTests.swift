import Backends
import Core
import Foundation
import Testing

@testable import Server

/// Which catalog goes with which data folder.
@Suite struct CatalogPlaceTests {
    /// A data folder of its own and a catalog elsewhere, both removed afterwards.
    private func withBoth(_ body: (_ folder: String, _ catalog: SQLiteCatalog) throws -> Void) throws {
        let root = NSTemporaryDirectory() + "spile-place-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: root + "/data/segments", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let catalog = try SQLiteCatalog(path: root + "/elsewhere.sqlite")
        defer { try? catalog.close() }
        try body(root + "/data", catalog)
    }

    private func bind(_ folder: String, _ catalog: SQLiteCatalog, fresh id: String) throws {
        try CatalogPlace.bind(catalog, at: "db", CatalogBond(folder: folder)) { id }
    }

    private func id(of catalog: SQLiteCatalog) throws -> String? { try catalog.read { try $0.setting("cluster_id") } }

    @Test func `nothing said is the folder, a database is named by its address`() throws {
        #expect(try CatalogPlace(nil) == .folder)
        #expect(try CatalogPlace("") == .folder)
        for text in ["postgres://u@h/n", "postgresql:///n", "host=/tmp dbname=n"] {
            #expect(try CatalogPlace(text) == .postgres(text))
        }
        let error = #expect(throws: SpileError.self) { _ = try CatalogPlace("mysql://h/n") }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("there is no catalog at mysql://h/n") == true)
    }

    @Test func `an empty folder and an empty catalog are bound for good`() throws {
        try withBoth { folder, catalog in
            try bind(folder, catalog, fresh: "one")
            #expect(try id(of: catalog) == "one")
            #expect(try CatalogBond(folder: folder).read()?.id == "one")
            try Data().write(to: URL(fileURLWithPath: folder + "/segments/0.seg"))
            try bind(folder, catalog, fresh: "two")
            #expect(try id(of: catalog) == "one")
        }
    }

    @Test func `what a crash left between the two is completed`() throws {
        try withBoth { folder, catalog in
            try CatalogBond(folder: folder).write(id: "one", place: "db")
            try bind(folder, catalog, fresh: "two")
            #expect(try id(of: catalog) == "one")
        }
    }

    @Test func `a catalog that another folder has is refused`() throws {
        try withBoth { folder, catalog in
            try catalog.write { try $0.setSetting("cluster_id", to: "other") }
            let unbound = #expect(throws: SpileError.self) { try bind(folder, catalog, fresh: "one") }
            #expect(unbound?.code == .failedPrecondition)
            try CatalogBond(folder: folder).write(id: "one", place: "db")
            let error = #expect(throws: SpileError.self) { try bind(folder, catalog, fresh: "two") }
            #expect(error?.message == "catalog db and data folder \(folder) do not belong together")
        }
    }

    /// All that is stored would be garbage beside it.
    @Test func `an empty catalog is refused where something is stored`() throws {
        try withBoth { folder, catalog in
            try CatalogBond(folder: folder).write(id: "one", place: "db")
            try Data().write(to: URL(fileURLWithPath: folder + "/segments/0.seg"))
            let error = #expect(throws: SpileError.self) { try bind(folder, catalog, fresh: "two") }
            #expect(error?.code == .failedPrecondition)
            #expect(try id(of: catalog) == nil)
        }
    }

    @Test func `a folder whose catalog is elsewhere gets none of its own`() throws {
        try withBoth { folder, catalog in
            try bind(folder, catalog, fresh: "one")
            let error = #expect(throws: SpileError.self) {
                _ = try CatalogPlace.folder.open(with: try DataFolder(folder), store: .folder) { "two" }
            }
            #expect(error?.message == "the catalog of data folder \(folder) is not in it, but at db")
            #expect(!FileManager.default.fileExists(atPath: folder + "/catalog.sqlite"))
        }
    }

    @Test func `a folder with a catalog of its own takes no other`() throws {
        try withBoth { folder, _ in
            try SQLiteCatalog(path: folder + "/catalog.sqlite").close()
            let error = #expect(throws: SpileError.self) {
                let elsewhere = CatalogPlace.postgres("host=/nowhere dbname=n")
                _ = try elsewhere.open(with: try DataFolder(folder), store: .folder) { "one" }
            }
            #expect(error?.message == "data folder \(folder) has a catalog of its own")
        }
    }

    @Test func `a file that names no catalog is told`() throws {
        try withBoth { folder, _ in
            try Data("one line".utf8).write(to: URL(fileURLWithPath: folder + "/catalog"))
            let error = #expect(throws: SpileError.self) { _ = try CatalogBond(folder: folder).read() }
            #expect(error?.code == .dataLoss)
        }
    }
}
