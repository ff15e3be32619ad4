/// Where bytes are kept of objects that a slow store does not have yet: next to the rows that refer to them. Any thread
/// may call; calls block. Errors are those of the catalog.
package protocol SegmentTails: Sendable {
    /// The objects of which something is kept, with their sizes in bytes.
    func list() throws -> [String: Int]
    /// The bytes of an object from `offset` on; empty where there are none.
    func read(_ name: String, from offset: Int) throws -> [UInt8]
    /// Keeps bytes that follow on what is kept; durable on return. Not to be called inside of a transaction.
    func append(_ bytes: [UInt8], to name: String, at offset: Int) throws
    /// Keeps these bytes of an object in place of those that are kept; durable on return. Not to be called inside of a
    /// transaction.
    func replace(_ name: String, by bytes: [UInt8]) throws
    /// Forgets an object; one that is not there is no error. Not to be called inside of a transaction.
    func delete(_ name: String) throws
}

/// The tails that a catalog keeps.
package struct CatalogTails: SegmentTails {
    private let catalog: any Catalog

    package init(_ catalog: any Catalog) { self.catalog = catalog }

    package func list() throws -> [String: Int] { try catalog.tails() }
    package func read(_ name: String, from offset: Int) throws -> [UInt8] { try catalog.tail(name, from: offset) }

    package func append(_ bytes: [UInt8], to name: String, at offset: Int) throws {
        try catalog.write { try $0.append(bytes, toTail: name, at: offset) }
    }

    package func replace(_ name: String, by bytes: [UInt8]) throws {
        try catalog.write { writer in
            try writer.deleteTail(name)
            try writer.append(bytes, toTail: name, at: 0)
        }
    }

    package func delete(_ name: String) throws { try catalog.write { try $0.deleteTail(name) } }
}
