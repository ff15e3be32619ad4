import Core
import Foundation

extension SQLTransaction {
    func tails() throws -> [String: Int] {
        // Pieces follow each other without a gap.
        let sizes = try rows("SELECT name, max(start + length(bytes)) FROM object_tails GROUP BY name")
            .map { ($0[0] as String, Int($0[1] as Int64)) }
        return Dictionary(uniqueKeysWithValues: sizes)
    }

    func tail(_ name: String, from offset: Int) throws -> [UInt8] {
        let pieces = try rows(
            "SELECT start, bytes FROM object_tails WHERE name = ? AND start + length(bytes) > ? ORDER BY start",
            [name, Int64(offset)])
        var result: [UInt8] = []
        for piece in pieces {
            let start = Int(piece[0] as Int64)
            let bytes: Data = piece[1]
            let position = offset + result.count
            guard start <= position else {
                throw SpileError(
                    .dataLoss, "the catalog does not have byte \(position) of \(name)",
                    remedy: "restore the catalog from a backup")
            }
            result += bytes.dropFirst(position - start)
        }
        return result
    }

    func append(_ bytes: [UInt8], toTail name: String, at offset: Int) throws {
        try connection.insert(into: "object_tails", "name, start, bytes", [name, Int64(offset), Data(bytes)])
    }

    func deleteTail(_ name: String) throws { try run("DELETE FROM object_tails WHERE name = ?", [name]) }

    func changesElsewhere() throws -> CatalogChanges { try connection.changesElsewhere() }
    func announce(_ changes: Set<Int64>) throws { try connection.announce(changes) }
}
