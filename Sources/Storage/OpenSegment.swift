import Core
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Memory at an address direct writes accept. Filled by one owner; let go of when the last reference is.
final class AlignedBuffer: @unchecked Sendable {
    // Unchecked: bytes are written by the slot writer that owns the buffer, before the slot they belong to is recorded
    // under `OpenSegment.state`; whoever else reads them found them there.
    let bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        var memory: UnsafeMutableRawPointer?
        let result = posix_memalign(&memory, 4096, capacity)
        precondition(result == 0, "out of memory")
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: capacity)
    }

    deinit { free(bytes.baseAddress) }
}

/// A segment that is being written: its slots can be read from the moment they are appended, from the object or, as
/// long as they are not written out, from the writer's memory. `state` is guarded by its mutex.
final class OpenSegment: Sendable {
    struct Region {
        var offset: Int
        var count: Int
        var buffer: AlignedBuffer
    }

    struct State {
        var records: [SlotRecord] = []
        var memory: [Region] = []
    }

    let id: UInt64
    let object: any WritableObject
    let state = Mutex(State())

    init(id: UInt64, object: any WritableObject) {
        self.id = id
        self.object = object
    }

    func record(_ slot: UInt32) -> SlotRecord? {
        state.withLock { Int(slot) < $0.records.count ? $0.records[Int(slot)] : nil }
    }

    /// Reads bytes of the segment, each from memory if it is still there, else from the object.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var gaps: [Range<Int>] = []
        nonisolated(unsafe) let out = target
        let end = offset + target.count
        state.withLock { state in
            var position = offset
            for region in state.memory.sorted(by: { $0.offset < $1.offset }) {
                let from = max(position, region.offset)
                let to = min(end, region.offset + region.count)
                guard from < to else { continue }
                if position < from { gaps.append(position..<from) }
                let source = region.buffer.bytes.baseAddress! + (from - region.offset)
                (out.baseAddress! + (from - offset)).copyMemory(from: source, byteCount: to - from)
                position = to
            }
            if position < end { gaps.append(position..<end) }
        }
        for gap in gaps {
            let inside = (gap.lowerBound - offset)..<(gap.upperBound - offset)
            let part = UnsafeMutableRawBufferPointer(rebasing: target[inside])
            try object.readFully(into: part, at: gap.lowerBound)
        }
    }
}
