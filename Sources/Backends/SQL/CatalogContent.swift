import Core
import struct Crypto.SHA256
import Foundation
import GRDB

/// A catalog whose rows can be read as they are.
protocol RowsCatalog: Catalog {
    /// Runs `body` on one snapshot of all tables.
    func rows<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result
}

/// What a catalog holds, as counts and digests of its tables: equal for two catalogs that hold the same rows, whatever
/// databases they are on.
package struct CatalogContent: Sendable, Equatable {
    struct Table: Sendable, Equatable {
        var rows = 0
        /// The sum of the rows' SHA-256s, word by word: the same in whatever order they come.
        var sum = Digest.zero
    }

    private var tables: [String: Table] = [:]
    /// The highest number ever given out, by table.
    private var numbers: [String: Int64] = [:]

    /// Reads all rows of one snapshot. Memory does not grow with them. Throws what the catalog throws.
    package init(of catalog: any Catalog) throws {
        guard let catalog = catalog as? any RowsCatalog else { throw SpileError.bug("a catalog without rows") }
        self = try catalog.rows { try Self.read($0) }
    }

    private init() {}

    /// Rows of all tables.
    package var count: Int { tables.values.reduce(0) { $0 + $1.rows } }

    package func count(of table: String) -> Int { tables[table]?.rows ?? 0 }

    /// Names of the tables in which two differ, in the order of the alphabet.
    package func differences(from other: CatalogContent) -> [String] {
        Set(tables.keys).union(other.tables.keys).filter {
            tables[$0] != other.tables[$0] || numbers[$0] != other.numbers[$0]
        }.sorted()
    }

    private static func read(_ connection: some SQLConnection) throws -> CatalogContent {
        var content = CatalogContent()
        for table in CatalogCopy.tables {
            var found = Table()
            var bytes: [UInt8] = []
            try connection.each("SELECT \(table.columns.joined(separator: ", ")) FROM \(table.name)") { row in
                bytes.removeAll(keepingCapacity: true)
                for index in table.columns.indices { append(row.value(at: index), to: &bytes) }
                found.rows += 1
                found.sum.add(Digest(SHA256.hash(data: bytes)))
            }
            content.tables[table.name] = found
        }
        for column in CatalogCopy.numberings {
            content.numbers[column.table] = try connection.lastNumber(column)
        }
        return content
    }

    /// One value, so that no two rows have the same bytes.
    private static func append(_ value: DatabaseValue, to bytes: inout [UInt8]) {
        func append(_ kind: UInt8, _ content: some Collection<UInt8>) {
            bytes.append(kind)
            withUnsafeBytes(of: UInt64(content.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: content)
        }
        func append(_ kind: UInt8, word: UInt64) {
            bytes.append(kind)
            withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
        }
        switch value.storage {
        case .null: bytes.append(0)
        case .int64(let number): append(1, word: UInt64(bitPattern: number))
        case .double(let number): append(2, word: number.bitPattern)
        case .string(let text): append(3, text.utf8)
        case .blob(let data): append(4, data)
        }
    }
}

extension Digest {
    fileprivate mutating func add(_ other: Digest) {
        words = (
            words.0 &+ other.words.0, words.1 &+ other.words.1, words.2 &+ other.words.2, words.3 &+ other.words.3
        )
    }
}
