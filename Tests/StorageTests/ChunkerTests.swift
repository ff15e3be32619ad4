import Simulation
import Testing

@testable import Storage

/// Where chunks end (`docs/FORMAT.md`, Chunks).
@Suite struct ChunkerTests {
    /// The rule, place by place.
    private func plainCut(_ bytes: [UInt8]) -> Int? {
        var length = Chunker.minimum + 1
        while length <= bytes.count {
            if length == Chunker.maximum { return length }
            var sum: UInt16 = 0
            for index in 0..<8 {
                let at = length - 2 - 2 * index
                sum &+= (UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8) &* Chunker.factors[index]
            }
            if sum < 16 {
                var hash: UInt64 = 0
                for byte in bytes[(length - 64)..<length] { hash = (hash << 1) &+ Chunker.gear[Int(byte)] }
                if hash < (length <= Chunker.normal ? 1 << 55 : 1 << 57) { return length }
            }
            length += 1
        }
        return nil
    }

    private func cut(_ bytes: [UInt8], from start: Int = 0, known: Int = 0, count: Int? = nil) -> Int? {
        bytes.withUnsafeBytes {
            Chunker.cut($0.baseAddress! + start, from: start, known: known, count: count ?? bytes.count)
        }
    }

    private func content(_ seed: UInt64, _ kind: Int, _ count: Int) -> [UInt8] {
        let bytes = SeededRandomness(seed: seed).bytes(count)
        switch kind {
        case 0: return bytes
        case 1: return bytes.map { 48 + $0 % 10 }
        default: return bytes.map { $0 & 1 }
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func whatIsComputedForManyPlacesAtOnceIsTheRule(seed: UInt64) throws {
        let bytes = content(seed, Int(seed % 3), 4 << 20)
        let expected = plainCut(bytes)
        #expect(cut(bytes) == expected)
        #expect(try #require(expected) < Chunker.maximum, "no place was a cut: the seed shows nothing")
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func howTheBytesArriveDoesNotMatter(seed: UInt64) throws {
        let bytes = content(seed, 0, 3 << 20)
        let expected = try #require(cut(bytes))
        let random = SeededRandomness(seed: seed)
        var known = 0
        while true {
            let count = min(bytes.count, known + 1 + random.below(random.below(4) == 0 ? 100 : 65_536))
            // Only the last window of what was known has to be there.
            if let found = cut(bytes, from: max(0, known - Chunker.window), known: known, count: count) {
                #expect(found == expected)
                break
            }
            known = count
        }
    }

    @Test func noChunkIsLongerThanTheMaximum() {
        let zeros = [UInt8](repeating: 7, count: Chunker.maximum + 10)
        #expect(cut(zeros) == Chunker.maximum)
        #expect(cut(zeros, known: Chunker.maximum - 1, count: Chunker.maximum - 1) == nil)
        #expect(cut(Array(zeros.prefix(Chunker.maximum - 1))) == nil)
    }

    @Test(arguments: 0...2)
    func chunksAreAboutAMebibyteWhateverTheBytesLookLike(kind: Int) {
        let bytes = content(7, kind, 16 << 20)
        var lengths: [Int] = []
        bytes.withUnsafeBytes { all in
            var start = 0
            while let length = Chunker.cut(all.baseAddress! + start, from: 0, known: 0, count: all.count - start) {
                lengths.append(length)
                start += length
            }
        }
        let mean = lengths.reduce(0, +) / max(1, lengths.count)
        #expect((700_000...2_200_000).contains(mean), "mean \(mean) of \(lengths.count)")
        #expect(lengths.allSatisfy { $0 > Chunker.minimum })
    }
}
