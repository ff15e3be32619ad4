import Core
import Testing

extension CatalogSuite {
    private static func fileSet(_ number: UInt64, expires: Int64, pinned: Int64 = 0) -> FileSetRecord {
        FileSetRecord(
            id: id(number), token: Digest([UInt8](repeating: UInt8(number), count: 32)),
            createdAt: Instant(nanoseconds: 1), expiresAt: Instant(nanoseconds: expires),
            pinnedUntil: Instant(nanoseconds: pinned), content: .sample(number), deletions: .sample(number + 100))
    }

    private static func id(_ number: UInt64) -> FileSetID {
        FileSetID(CommitID(randomHigh: .max - number, randomLow: number))
    }

    private static func entry(
        _ key: String, tag: String = "", holding: [UInt64] = [], used: Int64 = 0, value: [UInt8] = []
    ) -> CacheRecord {
        CacheRecord(
            key: key, value: value, tag: tag, fileSets: holding.map(id), usedAt: Instant(nanoseconds: used))
    }

    private static func removed(_ catalog: any Catalog, at now: Int64, limit: Int = 100) throws -> Int {
        try catalog.write { try $0.removeExpiredFileSets(at: Instant(nanoseconds: now), limit: limit) }
    }

    static let fileSets = [
        CatalogRule("a file set is kept with all its fields, and refused twice") { catalog throws in
            var record = fileSet(1, expires: 10)
            try catalog.write { [record] in try $0.insert(record) }
            let found = try #require(try catalog.read { try $0.fileSet(record.id) })
            #expect(found == record)
            #expect(found.content.pointer == record.content.pointer)
            #expect(found.content.files == record.content.files && found.content.bytes == record.content.bytes)
            #expect(found.deletions.pointer == record.deletions.pointer)
            #expect(try catalog.read { try $0.fileSet(id(2)) } == nil)
            expectAlreadyExists { try catalog.write { [record] in try $0.insert(record) } }
            record.expiresAt = Instant(nanoseconds: 20)
            record.pinnedUntil = Instant(nanoseconds: 30)
            try catalog.write { [record] in
                try $0.setLease(fileSet: record.id, expiresAt: record.expiresAt, pinnedUntil: record.pinnedUntil)
            }
            #expect(try catalog.read { try $0.fileSet(record.id) } == record)
        },
        CatalogRule("file sets that nothing keeps are removed, the longest expired first") { catalog throws in
            try catalog.write { writer throws in
                for record in [
                    fileSet(1, expires: 30), fileSet(2, expires: 10), fileSet(3, expires: 20),
                    fileSet(4, expires: 5, pinned: 100), fileSet(5, expires: 5),
                ] { try writer.insert(record) }
                #expect(try writer.insert(entry("held", holding: [5])))
            }
            #expect(try removed(catalog, at: 30, limit: 2) == 2)
            #expect(try catalog.read { try $0.fileSet(id(2)) } == nil)
            #expect(try catalog.read { try $0.fileSet(id(3)) } == nil)
            #expect(try catalog.read { try $0.fileSet(id(1)) } != nil)
            #expect(try removed(catalog, at: 29) == 0)
            #expect(try removed(catalog, at: 99) == 1)
            #expect(try removed(catalog, at: 100) == 1)
            #expect(try catalog.read { try $0.fileSet(id(5)) }?.isHeld == true)
        },
        CatalogRule("file sets are listed by id, a page at a time") { catalog throws in
            let sets = (1...5 as ClosedRange<UInt64>).map { fileSet($0, expires: 0) }.sorted { $0.id < $1.id }
            try catalog.write { writer throws in for set in sets.reversed() { try writer.insert(set) } }
            let first = try catalog.read { try $0.fileSets(beyond: nil, limit: 2) }
            #expect(first == Array(sets[..<2]))
            #expect(try catalog.read { try $0.fileSets(beyond: first[1].id, limit: 9) } == Array(sets[2...]))
            #expect(try catalog.read { try $0.fileSets(beyond: sets[4].id, limit: 9) } == [])
        },
        CatalogRule("of two values for a key the first is kept") { catalog throws in
            try catalog.write { try $0.insert(fileSet(1, expires: 0)) }
            let first = entry("k", tag: "é", holding: [1], used: 5, value: [0, 255])
            #expect(try catalog.write { try $0.insert(first) })
            #expect(try !catalog.write { try $0.insert(entry("k", value: [1])) })
            #expect(try catalog.read { try $0.cacheEntry("k") } == first)
            #expect(try catalog.read { try $0.cacheEntry("none") } == nil)
            #expect(try catalog.write { try $0.insert(entry("empty")) })
            #expect(try catalog.read { try $0.cacheEntry("empty") } == entry("empty"))
        },
        CatalogRule("an entry cannot hold a file set that is not there") { catalog throws in
            #expect(throws: SpileError.self) { try catalog.write { try $0.insert(entry("k", holding: [1])) } }
            #expect(try catalog.read { try $0.cacheEntry("k") } == nil)
        },
        CatalogRule("a file set expires again when the last entry that held it goes") { catalog throws in
            try catalog.write { writer throws in
                try writer.insert(fileSet(1, expires: 10))
                for key in ["a", "b"] { _ = try writer.insert(entry(key, tag: key, holding: [1, 1])) }
                try writer.deleteCacheEntries(tagPrefix: "a")
            }
            #expect(try removed(catalog, at: 50) == 0)
            try catalog.write { try $0.deleteCacheEntries(tagPrefix: "") }
            #expect(try catalog.read { try $0.fileSet(id(1)) }?.isHeld == false)
            #expect(try removed(catalog, at: 50) == 1)
        },
        CatalogRule("entries are deleted by the first bytes of their tag") { catalog throws in
            try catalog.write { writer throws in
                for tag in ["", "a", "ab", "aB", "b", "é"] { _ = try writer.insert(entry("key \(tag)", tag: tag)) }
                try writer.deleteCacheEntries(tagPrefix: "ab")
                try writer.deleteCacheEntries(tagPrefix: "é")
                try writer.deleteCacheEntries(tagPrefix: "%")
            }
            func left() throws -> [String] {
                try ["", "a", "ab", "aB", "b", "é"].filter { tag in
                    try catalog.read { try $0.cacheEntry("key \(tag)") } != nil
                }
            }
            #expect(try left() == ["", "a", "aB", "b"])
            try catalog.write { try $0.deleteCacheEntries(tagPrefix: "") }
            #expect(try left() == [])
        },
        CatalogRule("the entries that were not used for longest go first") { catalog throws in
            try catalog.write { writer throws in
                try writer.insert(fileSet(1, expires: 10))
                for number in 1...5 as ClosedRange<Int64> {
                    _ = try writer.insert(entry("\(number)", holding: number == 2 ? [1] : [], used: number))
                }
                try writer.setUsed(cacheEntry: "1", at: Instant(nanoseconds: 9))
                try writer.trimCache(to: 3)
                try writer.trimCache(to: 7)
            }
            let left = try (1...5).filter { number in try catalog.read { try $0.cacheEntry("\(number)") } != nil }
            #expect(left == [1, 4, 5])
            #expect(try removed(catalog, at: 10) == 1)
        },
    ]
}
