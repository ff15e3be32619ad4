import Core
import Foundation
import Simulation
import Testing

/// The rules of the seam `ObjectStore`, each as a check over any store that is empty.
enum ObjectStoreSuite {
    static let all = writing + ending + crashes + reading + changing

    /// Thrown by a check to make a step fail.
    struct Abandoned: Error {}

    static func expect(_ code: SpileError.Code, _ body: () throws -> Void) {
        let error = #expect(throws: SpileError.self, performing: body)
        #expect(error?.code == code, "\(String(describing: error))")
    }

    static func bytes(_ count: Int, _ seed: UInt64 = 1) -> [UInt8] { SeededRandomness(seed: seed).bytes(count) }

    // MARK: Writing

    private static let writing = [
        ObjectStoreRule("what was written is read at once, synced or not, by pieces and in any order") { scene throws in
            let object = try scene.store.create("a", capacity: 32 << 10, purpose: .small)
            let content = bytes(20_000)
            try object.put(content[..<7_001], at: 0)
            #expect(try object.take(10..<7_001) == Array(content[10..<7_001]))
            try object.sync()
            try object.put(content[15_000...], at: 15_000)
            try object.put(content[7_001..<15_000], at: 7_001)
            #expect(try object.take(0..<20_000) == content)
            try object.sync()
            #expect(try object.take(6_999..<15_003) == Array(content[6_999..<15_003]))
        },
        ObjectStoreRule("large aligned writes make one object") { scene throws in
            let object = try scene.store.create("a", capacity: 1 << 20, purpose: .bulk)
            let content = bytes(600 << 10)
            for start in stride(from: 0, to: content.count, by: 200 << 10) {
                try object.put(content[start..<(start + 200 << 10)], at: start)
            }
            try object.sync()
            try object.finish(size: content.count - 77, as: "b")
            #expect(try scene.store.all("b") == content.dropLast(77))
        },
        ObjectStoreRule("a taken name is refused, and what has it stays") { scene throws in
            let object = try scene.store.create("a", capacity: 4096, purpose: .small)
            try object.put([1], at: 0)
            expect(.alreadyExists) { _ = try scene.store.create("a", capacity: 4096, purpose: .small) }
            expect(.alreadyExists) { _ = try scene.store.create("a", capacity: 4096, purpose: .bulk) }
            try object.finish(size: 1, as: "b")
            // A store that is far is not asked for it.
            if !scene.store.properties.isShared {
                expect(.alreadyExists) { _ = try scene.store.create("b", capacity: 4096, purpose: .small) }
            }
            expect(.alreadyExists) { _ = try scene.store.create("b", capacity: 4096, purpose: .bulk) }
            #expect(try scene.store.all("b") == [1])
            _ = try scene.store.create("a", capacity: 4096, purpose: .small)
        },
        ObjectStoreRule("a sync of nothing is one") { scene throws in
            let object = try scene.store.create("a", capacity: 4096, purpose: .small)
            try object.sync()
            try object.put([1], at: 0)
            for _ in 0..<3 { try object.sync() }
            #expect(try object.take(0..<1) == [1])
        },
    ]

    // MARK: Ends

    private static let ending = [
        ObjectStoreRule("an end cuts to size and gives the name; the old one is free") { scene throws in
            let object = try scene.store.create("a.open", capacity: 32 << 10, purpose: .small)
            let content = bytes(9_000)
            try object.put(content[...], at: 0)
            try object.sync()
            try object.put([UInt8](repeating: 7, count: 500)[...], at: 9_000)
            try object.finish(size: 9_100, as: "a.end")
            #expect(try scene.store.all("a.end") == content + [UInt8](repeating: 7, count: 100))
            expect(.notFound) { _ = try scene.store.open("a.open") }
            #expect(try scene.store.list() == [ObjectListing(name: "a.end", size: 9_100)])
        },
        ObjectStoreRule("an object may be empty") { scene throws in
            try scene.store.create("a", capacity: 4096, purpose: .small).finish(size: 0, as: "b")
            let reader = try scene.store.open("b")
            #expect(reader.size == 0)
            #expect(try scene.store.all("b") == [])
            #expect(try scene.store.list() == [ObjectListing(name: "b", size: 0)])
        },
        ObjectStoreRule("all objects are listed with their sizes, those without an end too") { scene throws in
            var expected: [String: Int] = [:]
            for number in 0..<8 {
                let object = try scene.store.create("\(number).open", capacity: 4096, purpose: .small)
                try object.put(bytes(100 + number)[...], at: 0)
                try object.sync()
                if number % 3 != 0 {
                    try object.finish(size: 100 + number, as: "\(number).end")
                    expected["\(number).end"] = 100 + number
                }
            }
            let listed = try scene.store.list()
            #expect(Set(listed.map(\.name)).count == listed.count)
            let ended = listed.filter { $0.name.hasSuffix(".end") }
            #expect(Dictionary(uniqueKeysWithValues: ended.map { ($0.name, $0.size) }) == expected)
            let open = listed.filter { !$0.name.hasSuffix(".end") }
            #expect(Set(open.map(\.name)) == ["0.open", "3.open", "6.open"])
            #expect(open.allSatisfy { $0.size >= 100 })
        },
        ObjectStoreRule("names may hold what file names may") { scene throws in
            let names = ["a b", "c+d", "e%41", "f&g=h", "\u{E9}\u{1F41F}", "~i'(j)*", "k?l#m", "n\\\"<o>"]
            for (index, name) in names.enumerated() {
                let object = try scene.store.create(name, capacity: 4096, purpose: .small)
                try object.put([UInt8(index)], at: 0)
                try object.sync()
                try object.finish(size: 1, as: name + ".end")
            }
            for (index, name) in names.enumerated() { #expect(try scene.store.all(name + ".end") == [UInt8(index)]) }
            #expect(Set(try scene.store.list().map(\.name)) == Set(names.map { $0 + ".end" }))
        },
    ]

    // MARK: Crashes

    private static let crashes = [
        ObjectStoreRule("what was synced survives a crash, and can be given an end") { scene throws in
            let content = bytes(100_000)
            do {
                let object = try scene.store.create("a", capacity: 1 << 20, purpose: .small)
                var synced = 0
                for end in [1, 4_096, 40_000, 40_001, 90_000] {
                    try object.put(content[synced..<end], at: synced)
                    try object.sync()
                    synced = end
                }
                try object.put(content[90_000..<95_000], at: 90_000)
            }
            try scene.crash()
            let listed = try scene.store.list()
            #expect(listed.map(\.name) == ["a"] && listed[0].size >= 90_000)
            let reader = try scene.store.open("a")
            #expect(reader.size >= 90_000)
            #expect(try reader.take(0..<90_000) == Array(content[..<90_000]))
            let object = try scene.store.resume("a", keeping: 90_000)
            #expect(try object.take(0..<90_000) == Array(content[..<90_000]))
            try object.put(content[90_000...], at: 90_000)
            try object.finish(size: content.count, as: "b")
            #expect(try scene.store.all("b") == content)
            try scene.crash()
            #expect(try scene.store.list() == [ObjectListing(name: "b", size: content.count)])
            #expect(try scene.store.all("b") == content)
        },
        ObjectStoreRule("a resumed object is cut first, and what is written then survives a crash") { scene throws in
            let (old, new) = (bytes(80_000, 1), bytes(60_000, 2))
            do {
                let object = try scene.store.create("a", capacity: 1 << 20, purpose: .small)
                for start in stride(from: 0, to: 80_000, by: 20_000) {
                    try object.put(old[start..<(start + 20_000)], at: start)
                    try object.sync()
                }
            }
            try scene.crash()
            do {
                let object = try scene.store.resume("a", keeping: 30_000)
                try object.put(new[..<25_000], at: 30_000)
                try object.sync()
                try object.put(new[25_000...], at: 55_000)
                try object.sync()
            }
            try scene.crash()
            let expected = Array(old[..<30_000]) + new
            #expect(try scene.store.open("a").take(0..<90_000) == expected)
            try scene.store.resume("a", keeping: 90_000).finish(size: 90_000, as: "b")
            #expect(try scene.store.all("b") == expected)
        },
        ObjectStoreRule("a name is durable as soon as it is given") { scene throws in
            _ = try scene.store.create("a", capacity: 4096, purpose: .small)
            _ = try scene.store.create("b", capacity: 1 << 20, purpose: .bulk)
            try scene.crash()
            // Where a small object is nowhere before its first bytes, nobody can have its name in the store.
            let isThere = !scene.store.properties.isShared
            #expect(Set(try scene.store.list().map(\.name)) == (isThere ? ["a", "b"] : ["b"]))
            if isThere { expect(.alreadyExists) { _ = try scene.store.create("a", capacity: 4096, purpose: .small) } }
            let object = try scene.store.resume("b", keeping: 0)
            try object.put([5], at: 0)
            try object.finish(size: 1, as: "c")
            #expect(try scene.store.all("c") == [5])
        },
        ObjectStoreRule("ends, replacements and removals survive a crash") { scene throws in
            for name in ["kept", "replaced", "removed"] { try scene.store.make(name, bytes(5_000)) }
            let new = bytes(7_000, 2)
            try new.withUnsafeBytes { try scene.store.replace("replaced", with: $0) }
            try scene.store.remove("removed")
            try scene.crash()
            #expect(try scene.store.all("kept") == bytes(5_000))
            #expect(try scene.store.all("replaced") == new)
            #expect(Set(try scene.store.list().map(\.name)) == ["kept", "replaced"])
        },
    ]

    // MARK: Reading

    private static let reading = [
        ObjectStoreRule("ranges are read wherever they lie, by many at once") { scene throws in
            let content = bytes((5 << 20) + 12_345)
            try scene.store.make("a", content)
            let reader = try scene.store.open("a")
            #expect(reader.size == content.count)
            let problems = Problems()
            DispatchQueue.concurrentPerform(iterations: 4) { index in
                let random = SeededRandomness(seed: UInt64(index))
                for _ in 0..<20 {
                    let start = random.below(content.count)
                    let end = min(content.count, start + 1 + random.below(1 << random.below(22)))
                    do {
                        let found = try reader.take(start..<end)
                        if found != Array(content[start..<end]) { problems.add("\(start)..<\(end)") }
                    } catch {
                        problems.add("\(error)")
                    }
                }
            }
            #expect(problems.all == [])
            #expect(try scene.store.all("a") == content)
        },
        ObjectStoreRule("a read ends with the object, and too long a one is loss of data") { scene throws in
            try scene.store.make("a", bytes(1_000))
            let reader = try scene.store.open("a")
            try withUnsafeTemporaryAllocation(byteCount: 100, alignment: 1) { buffer throws in
                #expect(try reader.read(into: buffer, at: 1_000) == 0)
                #expect(try reader.read(into: buffer, at: 2_000) == 0)
                #expect(try (1...2).contains(reader.read(into: buffer, at: 998)))
            }
            expect(.dataLoss) { _ = try reader.take(990..<1_001) }
        },
        ObjectStoreRule("what is not there is not found") { scene throws in
            expect(.notFound) { _ = try scene.store.open("a") }
            expect(.notFound) { _ = try scene.store.resume("a", keeping: 0) }
            try scene.store.remove("a")
        },
    ]
}
