import Core
import Testing

/// What is kept of objects that a slow store does not have yet.
extension CatalogSuite {
    static let tails = [
        CatalogRule("pieces of a tail make one, from any offset on, and go away together") { catalog throws in
            let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            #expect(try catalog.tail("a", from: 0) == [])
            for start in [0, 10, 20_000] {
                let end = [0: 10, 10: 20_000, 20_000: 50_000][start]!
                try catalog.write { try $0.append(Array(bytes[start..<end]), toTail: "a", at: start) }
            }
            try catalog.write { try $0.append([1, 2, 3], toTail: "b", at: 0) }
            #expect(try catalog.tails() == ["a": 50_000, "b": 3])
            for offset in [0, 5, 10, 19_999, 20_000, 49_999, 50_000, 60_000] {
                #expect(try catalog.tail("a", from: offset) == Array(bytes.dropFirst(offset)))
            }
            try catalog.write { try $0.deleteTail("a") }
            #expect(try catalog.tails() == ["b": 3])
            #expect(try catalog.tail("a", from: 0) == [])
            try catalog.write { try $0.deleteTail("none") }
        },
        CatalogRule("a piece of a transaction that fails is not kept") { catalog throws in
            try catalog.write { try $0.append([1], toTail: "a", at: 0) }
            #expect(throws: Abandoned.self) {
                try catalog.write { writer throws in
                    try writer.append([2], toTail: "a", at: 1)
                    throw Abandoned()
                }
            }
            #expect(try catalog.tail("a", from: 0) == [1])
            let taken = #expect(throws: SpileError.self) {
                try catalog.write { try $0.append([3], toTail: "a", at: 0) }
            }
            #expect(taken?.code == .alreadyExists)
            #expect(try catalog.tail("a", from: 0) == [1])
        },
        CatalogRule("a tail with a gap is damage") { catalog throws in
            try catalog.write { try $0.append([1], toTail: "a", at: 0) }
            try catalog.write { try $0.append([3], toTail: "a", at: 2) }
            let damage = #expect(throws: SpileError.self) { _ = try catalog.tail("a", from: 0) }
            #expect(damage?.code == .dataLoss)
        },
    ]
}
