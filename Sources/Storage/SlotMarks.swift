import Core

/// A set of slots: one bit per slot, by segment, up to the highest slot that was marked. A value.
package struct SlotMarks: Sendable {
    /// More slots than a segment can have: what lies beyond stands in a row or node that is wrong.
    private static let limit: UInt32 = 1 << 21

    private var segments: [UInt64: [UInt64]] = [:]
    private var strays: Set<Pointer> = []
    /// Slots in the set.
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// Adds a slot; false if it was in the set.
    @discardableResult
    package mutating func insert(_ pointer: Pointer) -> Bool {
        guard pointer.slot < Self.limit else {
            let isNew = strays.insert(pointer).inserted
            if isNew { count += 1 }
            return isNew
        }
        let word = Int(pointer.slot >> 6)
        let bit: UInt64 = 1 << UInt64(pointer.slot & 63)
        let isNew = Self.set(bit, in: word, of: &segments[pointer.segment, default: []])
        if isNew { count += 1 }
        return isNew
    }

    private static func set(_ bit: UInt64, in word: Int, of words: inout [UInt64]) -> Bool {
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: word + 1 - words.count)) }
        if words[word] & bit != 0 { return false }
        words[word] |= bit
        return true
    }

    package func contains(_ pointer: Pointer) -> Bool {
        guard pointer.slot < Self.limit else { return strays.contains(pointer) }
        guard let words = segments[pointer.segment] else { return false }
        let word = Int(pointer.slot >> 6)
        return word < words.count && words[word] & (1 << UInt64(pointer.slot & 63)) != 0
    }

    /// Adds every slot of another set.
    mutating func formUnion(_ other: SlotMarks) {
        combine(other) { $0 | $1 }
        for stray in other.strays { insert(stray) }
    }

    /// Takes out every slot of another set.
    mutating func subtract(_ other: SlotMarks) {
        combine(other) { $0 & ~$1 }
        for stray in other.strays where strays.remove(stray) != nil { count -= 1 }
    }

    private mutating func combine(_ other: SlotMarks, _ body: (UInt64, UInt64) -> UInt64) {
        for (segment, theirs) in other.segments {
            var words = segments.removeValue(forKey: segment) ?? []
            let before = words.reduce(0) { $0 + $1.nonzeroBitCount }
            let missing = theirs.count - words.count
            if missing > 0 { words.append(contentsOf: repeatElement(0, count: missing)) }
            for index in theirs.indices { words[index] = body(words[index], theirs[index]) }
            count += words.reduce(0) { $0 + $1.nonzeroBitCount } - before
            segments[segment] = words
        }
    }

    /// The segments that have a slot in the set.
    var touchedSegments: [UInt64] { segments.filter { $0.value.contains { $0 != 0 } }.map(\.key) }

    /// Removes all slots of a segment.
    mutating func remove(segment: UInt64) {
        guard let words = segments.removeValue(forKey: segment) else { return }
        count -= words.reduce(0) { $0 + $1.nonzeroBitCount }
    }
}
