import Core

/// What a collection found in one sealed segment. Bytes are those that slots take in the segment, headers included.
package struct SegmentCensus: Sendable, Equatable {
    package var segment: UInt64
    /// Size of the object.
    package var bytes: Int
    package var slotsLive = 0
    /// Slots that nothing reaches and that still take space.
    package var slotsDead = 0
    package var bytesLive = 0
    package var bytesDead = 0

    package init(segment: UInt64, bytes: Int) {
        self.segment = segment
        self.bytes = bytes
    }

    mutating func count(_ record: SlotRecord, isLive: Bool) {
        let size = Int(record.length) + SegmentFormat.slotHeaderSize
        if isLive {
            slotsLive += 1
            bytesLive += size
        } else {
            slotsDead += 1
            bytesDead += size
        }
    }
}

/// What a collection would do: a value, made from what was counted and carried out only when somebody says so.
package struct GarbagePlan: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        /// Nothing dead, or too little to pay.
        case keep
        /// Written anew under the same name without its dead slots.
        case rewrite
        /// Holds nothing alive: goes away whole.
        case drop
    }

    package struct Item: Sendable, Equatable {
        package let census: SegmentCensus
        package let action: Action
        /// Bytes that carrying it out gives back.
        package var bytesFreed: Int {
            switch action {
            case .keep: 0
            case .rewrite: census.bytesDead
            case .drop: census.bytes
            }
        }
    }

    /// By segment, oldest first.
    package let items: [Item]

    /// `minimumDeadShare`: of a segment's size, from which on writing it anew pays (0 ... 1).
    package init(_ segments: [SegmentCensus], minimumDeadShare: Double) {
        items = segments.sorted { $0.segment < $1.segment }.map { census in
            let action: Action =
                if census.slotsLive == 0 { .drop } else if census.slotsDead == 0
                    || Double(census.bytesDead) < minimumDeadShare * Double(census.bytes)
                { .keep } else { .rewrite }
            return Item(census: census, action: action)
        }
    }

    package func count(_ action: Action) -> Int { items.reduce(0) { $0 + ($1.action == action ? 1 : 0) } }
    package var bytes: Int { items.reduce(0) { $0 + $1.census.bytes } }
    package var slotsLive: Int { items.reduce(0) { $0 + $1.census.slotsLive } }
    package var slotsDead: Int { items.reduce(0) { $0 + $1.census.slotsDead } }
    package var bytesDead: Int { items.reduce(0) { $0 + $1.census.bytesDead } }
    package var bytesFreed: Int { items.reduce(0) { $0 + $1.bytesFreed } }
}
