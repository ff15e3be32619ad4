import Core
import Testing

extension CatalogSuite {
    private static func record(
        _ key: String, _ operation: KeyedOperation = .write, on branch: BranchRecord, commit: UInt64 = 1,
        at instant: Int64 = 0
    ) -> IdempotencyRecord {
        IdempotencyRecord(
            branch: branch.id, operation: operation, key: key, sequence: Int64(commit),
            commit: CommitID(randomHigh: commit, randomLow: ~commit), doneAt: Instant(nanoseconds: instant))
    }

    private static func branches(_ catalog: any Catalog) throws -> (BranchRecord, BranchRecord) {
        try catalog.write { writer throws in
            let repo = try writer.makeRepo("a")
            return (try writer.makeBranch("one", in: repo), try writer.makeBranch("two", in: repo))
        }
    }

    /// The keys of writes that are known on a branch, of those asked for.
    private static func known(
        _ keys: some Sequence<Int>, on branch: BranchRecord, _ catalog: any Catalog
    ) throws -> [Int] {
        try catalog.read { reader throws in
            try keys.filter {
                try reader.idempotencyRecord(branch: branch.id, operation: .write, key: "\($0)") != nil
            }
        }
    }

    static let idempotency = [
        CatalogRule("a key is kept with all its fields, for one branch and one operation") { catalog throws in
            let (one, two) = try branches(catalog)
            let written = record("k", on: one, commit: 7, at: 5)
            #expect(try catalog.write { try $0.put(written) } == 1)
            try catalog.read { reader throws in
                #expect(try reader.idempotencyRecord(branch: one.id, operation: .write, key: "k") == written)
                #expect(try reader.idempotencyRecord(branch: one.id, operation: .write, key: "K") == nil)
                #expect(try reader.idempotencyRecord(branch: one.id, operation: .start, key: "k") == nil)
                #expect(try reader.idempotencyRecord(branch: one.id, operation: .finish, key: "k") == nil)
                #expect(try reader.idempotencyRecord(branch: two.id, operation: .write, key: "k") == nil)
            }
            #expect(try catalog.write { try $0.put(record("k", .finish, on: one)) } == 2)
            #expect(try catalog.write { try $0.put(record("k", on: two)) } == 1)
            let again = record("k", on: one, commit: 9, at: 6)
            #expect(try catalog.write { try $0.put(again) } == 3)
            #expect(try catalog.read { try $0.idempotencyRecord(branch: one.id, operation: .write, key: "k") } == again)
        },
        CatalogRule("a key goes with its branch, and needs one") { catalog throws in
            let (one, two) = try branches(catalog)
            try catalog.write { writer throws in
                _ = try writer.put(record("1", on: one))
                _ = try writer.put(record("1", on: two))
                try writer.deleteBranch(id: one.id)
            }
            #expect(try known([1], on: one, catalog) == [])
            #expect(try known([1], on: two, catalog) == [1])
            #expect(throws: SpileError.self) { _ = try catalog.write { try $0.put(record("2", on: one)) } }
        },
        CatalogRule("of the oldest keys those go that are too old or too many") { catalog throws in
            let (one, two) = try branches(catalog)
            try catalog.write { writer throws in
                for key in 1...10 {
                    _ = try writer.put(record("\(key)", on: one, at: Int64(key)))
                    _ = try writer.put(record("\(key)", on: two, at: Int64(key)))
                }
            }
            func trim(upTo number: Int64, olderThan: Int64, orUpTo floor: Int64, limit: Int) throws -> [Int] {
                try catalog.write {
                    try $0.trimIdempotencyRecords(
                        branch: one.id, upTo: number, olderThan: Instant(nanoseconds: olderThan), orUpTo: floor,
                        limit: limit)
                }
                return try known(1...10, on: one, catalog)
            }
            #expect(try trim(upTo: 0, olderThan: 100, orUpTo: 0, limit: 100) == Array(1...10))
            #expect(try trim(upTo: 10, olderThan: 1, orUpTo: 0, limit: 100) == Array(1...10))
            #expect(try trim(upTo: 10, olderThan: 100, orUpTo: 0, limit: 2) == Array(3...10))
            #expect(try trim(upTo: 10, olderThan: 5, orUpTo: 0, limit: 100) == Array(5...10))
            #expect(try trim(upTo: 6, olderThan: 100, orUpTo: 0, limit: 100) == Array(7...10))
            #expect(try trim(upTo: 10, olderThan: 0, orUpTo: 8, limit: 100) == [9, 10])
            #expect(try known(1...10, on: two, catalog) == Array(1...10))
        },
        CatalogRule("keys go with what they name") { catalog throws in
            let (one, two) = try branches(catalog)
            func fill() throws {
                try catalog.write { writer throws in
                    for key in 1...5 {
                        _ = try writer.put(record("\(key)", on: one, commit: UInt64(key)))
                        _ = try writer.put(record("\(key)", on: two, commit: UInt64(key)))
                    }
                    _ = try writer.put(record("f", .finish, on: one, commit: 2))
                }
            }
            try fill()
            try catalog.write { try $0.deleteIdempotencyRecords(branch: one.id, commit: 2) }
            #expect(try known(1...5, on: one, catalog) == [1, 3, 4, 5])
            let finished = try catalog.read {
                try $0.idempotencyRecord(branch: one.id, operation: .finish, key: "f")
            }
            #expect(finished != nil)
            try catalog.write { try $0.deleteIdempotencyRecords(branch: one.id, after: 3) }
            #expect(try known(1...5, on: one, catalog) == [1, 3])
            #expect(try known(1...5, on: two, catalog) == Array(1...5))
        },
    ]
}
