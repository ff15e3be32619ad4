import Core
import Synchronization

/// Segments without an end that this process does not write: another server does, or one of an earlier start did. Their
/// slots are found by a scan, which goes on where the last one ended. Safe from any thread.
final class ForeignSegments: Sendable {
    private struct Segment {
        var reader: any ReadableObject
        var records: [SlotRecord]
        /// Up to where it was scanned, in bytes.
        var end: Int
    }

    /// Each is in memory, whole.
    private static let most = 4

    private let objects: any ObjectStore
    private let known = Mutex<[UInt64: Segment]>([:])

    init(_ objects: any ObjectStore) { self.objects = objects }

    /// Where a slot is; nil if no such segment is there, or no such slot in it.
    func find(_ pointer: Pointer) throws -> (any ReadableObject, SlotRecord)? {
        if let found = Self.slot(pointer, in: known.withLock({ $0[pointer.segment] })) { return found }
        let reader: any ReadableObject
        do {
            reader = try objects.open(SegmentFormat.name(pointer.segment, sealed: false))
        } catch let error as SpileError where error.code == .notFound {
            known.withLock { $0[pointer.segment] = nil }
            return nil
        }
        let before = known.withLock { $0[pointer.segment] }
        let segment = try scan(pointer.segment, reader, after: before)
        known.withLock { known in
            if known.count >= Self.most, known[pointer.segment] == nil, let other = known.keys.min() {
                known[other] = nil
            }
            if known[pointer.segment].map({ $0.end > segment.end }) != true { known[pointer.segment] = segment }
        }
        return Self.slot(pointer, in: segment)
    }

    private static func slot(_ pointer: Pointer, in segment: Segment?) -> (any ReadableObject, SlotRecord)? {
        guard let segment, Int(pointer.slot) < segment.records.count else { return nil }
        return (segment.reader, segment.records[Int(pointer.slot)])
    }

    private func scan(_ id: UInt64, _ reader: any ReadableObject, after before: Segment?) throws -> Segment {
        let (records, end) = try SegmentRecovery.scan(
            id: id, reader: reader, after: before?.records ?? [], from: before?.end ?? 0)
        return Segment(reader: reader, records: records, end: end)
    }
}
