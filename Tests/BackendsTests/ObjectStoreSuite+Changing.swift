import Core
import Foundation
import Simulation
import Synchronization
import Testing

extension ObjectStoreSuite {
    // MARK: Replacing and removing

    static let changing = [
        ObjectStoreRule("a replacement has the new bytes; who had it open goes on with the old ones") { scene throws in
            let old = bytes(3 << 20, 1)
            try scene.store.make("a", old)
            let (first, second) = (try scene.store.open("a"), try scene.store.open("a"))
            #expect(try first.take(0..<10) == Array(old[..<10]))
            for (seed, count) in [(2, 200_000), (3, 70), (4, 4 << 20)] {
                let new = bytes(count, UInt64(seed))
                try scene.store.replace("a", size: count) { append in
                    for start in stride(from: 0, to: count, by: 65_536) {
                        try new[start..<min(start + 65_536, count)].withUnsafeBytes { try append($0) }
                    }
                }
                #expect(try scene.store.all("a") == new)
                #expect(try scene.store.list() == [ObjectListing(name: "a", size: count)])
            }
            #expect(first.size == old.count)
            #expect(try first.take(0..<old.count) == old)
            #expect(try second.take(1_000_000..<2_500_000) == Array(old[1_000_000..<2_500_000]))
        },
        ObjectStoreRule("the old content can be read while the new one is made of it") { scene throws in
            let old = bytes(2 << 20)
            try scene.store.make("a", old)
            let reader = try scene.store.open("a")
            try scene.store.replace("a", size: 1 << 20) { append in
                try reader.take((1 << 20)..<(2 << 20)).withUnsafeBytes { try append($0) }
            }
            #expect(try scene.store.all("a") == Array(old[(1 << 20)...]))
            #expect(try reader.take(0..<old.count) == old)
        },
        ObjectStoreRule("a replacement that fails leaves all as it is") { scene throws in
            try scene.store.make("a", bytes(1_000))
            #expect(throws: Abandoned.self) {
                try scene.store.replace("a", size: 8_192) { append in
                    try bytes(4_096, 2).withUnsafeBytes { try append($0) }
                    throw Abandoned()
                }
            }
            #expect(try scene.store.all("a") == bytes(1_000))
            #expect(try scene.store.list() == [ObjectListing(name: "a", size: 1_000)])
        },
        ObjectStoreRule("what is removed is gone; who had it open reads the old bytes or is told") { scene throws in
            let content = bytes(2 << 20)
            try scene.store.make("a", content)
            try scene.store.make("b", content)
            let reader = try scene.store.open("a")
            try scene.store.remove("a")
            try scene.store.remove("a")
            expect(.notFound) { _ = try scene.store.open("a") }
            #expect(try scene.store.list().map(\.name) == ["b"])
            do {
                let found = try reader.take(0..<content.count)
                #expect(found == content)
            } catch let error as SpileError {
                #expect(error.code == .notFound)
            }
            #expect(try scene.store.all("b") == content)
        },
        ObjectStoreRule("an object without an end is removed whole, and its name is free") { scene throws in
            let object = try scene.store.create("a", capacity: 4096, purpose: .small)
            try object.put(bytes(3_000)[...], at: 0)
            try object.sync()
            try scene.store.remove("a")
            #expect(try scene.store.list() == [])
            expect(.notFound) { _ = try scene.store.open("a") }
            let next = try scene.store.create("a", capacity: 4096, purpose: .small)
            try next.put(bytes(2_000, 2)[...], at: 0)
            try next.sync()
            try next.finish(size: 2_000, as: "b")
            #expect(try scene.store.all("b") == bytes(2_000, 2))
        },
    ]
}

/// What threads found wrong.
final class Problems: Sendable {
    private let texts = Mutex<[String]>([])

    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
}

extension WritableObject {
    /// Writes from memory that bulk objects take.
    func put(_ bytes: ArraySlice<UInt8>, at offset: Int) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 4096)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: bytes)
        try write(UnsafeRawBufferPointer(buffer), at: offset)
    }

    func take(_ range: Range<Int>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try bytes.withUnsafeMutableBytes { try readFully(into: $0, at: range.lowerBound) }
        return bytes
    }
}

extension ReadableObject {
    func take(_ range: Range<Int>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try bytes.withUnsafeMutableBytes { try readFully(into: $0, at: range.lowerBound) }
        return bytes
    }
}

extension ObjectStore {
    /// A finished object of these bytes.
    func make(_ name: String, _ bytes: [UInt8]) throws {
        let object = try create(name + ".making", capacity: max(bytes.count, 4096), purpose: .small)
        try object.put(bytes[...], at: 0)
        try object.finish(size: bytes.count, as: name)
    }

    /// All bytes of an object.
    func all(_ name: String) throws -> [UInt8] {
        let reader = try open(name)
        return try reader.take(0..<reader.size)
    }
}
