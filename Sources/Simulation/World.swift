import Core
import Synchronization

/// A clock that moves only when told, or by a fixed step at each look.
package final class ManualClock: Clock {
    private let instant: Mutex<Int64>
    private let step: Int64

    /// Starts at `seconds` after 1970 and moves by `stepNanoseconds` each time it is asked.
    package init(seconds: Int64 = 1_700_000_000, stepNanoseconds: Int64 = 1_000) {
        instant = Mutex(seconds * 1_000_000_000)
        step = stepNanoseconds
    }

    package func now() -> Instant {
        instant.withLock {
            $0 += step
            return Instant(nanoseconds: $0)
        }
    }

    package func advance(seconds: Double) { instant.withLock { $0 += Int64(seconds * 1e9) } }
}

/// Words that repeat themselves by seed (SplitMix64).
package final class SeededRandomness: Randomness {
    private let state: Mutex<UInt64>

    package init(seed: UInt64) { state = Mutex(seed) }

    package func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
    }

    /// A number in `0 ..< bound`.
    package func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    package func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count { withUnsafeBytes(of: next()) { result.append(contentsOf: $0) } }
        return Array(result.prefix(count))
    }
}
