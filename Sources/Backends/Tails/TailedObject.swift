import Core
import Synchronization

/// An object whose bytes are in memory and, as far as they are durable, kept with the catalog's rows. Writing belongs
/// to one owner; `state` is guarded by its mutex, because any thread may read.
final class TailedObject: WritableObject {
    private struct State {
        var bytes: [UInt8]
        /// Bytes that were synced or handed over.
        var kept: Int
        var wasHandedOver = false
    }

    private let name: String
    private let base: any ObjectStore
    private let tails: any SegmentTails
    private let state: Mutex<State>
    /// Called once it has its end.
    private let ended: @Sendable () -> Void

    init(
        _ name: String, kept: [UInt8], base: any ObjectStore, tails: any SegmentTails,
        ended: @escaping @Sendable () -> Void
    ) {
        self.name = name
        self.base = base
        self.tails = tails
        self.ended = ended
        state = Mutex(State(bytes: kept, kept: kept.count))
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        nonisolated(unsafe) let source = bytes
        try state.withLock { state in
            guard offset >= state.kept else {
                throw SpileError.bug("bytes at \(offset) of \(name) were kept already, up to \(state.kept)")
            }
            let end = offset + source.count
            if end > state.bytes.count { state.bytes += [UInt8](repeating: 0, count: end - state.bytes.count) }
            state.bytes.withUnsafeMutableBytes { target in
                UnsafeMutableRawBufferPointer(rebasing: target[offset..<end]).copyMemory(from: source)
            }
        }
    }

    func sync() throws {
        if let pending = pending() { try tails.append(pending.bytes, to: name, at: pending.offset) }
    }

    func handOver() -> PendingBytes? {
        state.withLock { $0.wasHandedOver = true }
        return pending()
    }

    private func pending() -> PendingBytes? {
        state.withLock { state in
            guard state.kept < state.bytes.count else { return nil }
            defer { state.kept = state.bytes.count }
            return PendingBytes(name: name, offset: state.kept, bytes: Array(state.bytes[state.kept...]))
        }
    }

    var handsOver: Bool { true }

    func abandon() { ended() }

    /// May be tried again: the object below is written whole, in one step. A tail that was handed over is deleted by
    /// whoever kept it.
    func finish(size: Int, as final: String) throws {
        let bytes = state.withLock { $0.bytes }
        guard size <= bytes.count else { throw SpileError.bug("\(name) has \(bytes.count) bytes, not \(size)") }
        try base.replace(final, size: size) { append in
            try bytes.withUnsafeBytes { try append(UnsafeRawBufferPointer(rebasing: $0[..<size])) }
        }
        if !state.withLock({ $0.wasHandedOver }) { try tails.delete(name) }
        ended()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try BytesReader(state.withLock { $0.bytes }).read(into: buffer, at: offset)
    }

    /// What was written so far, open for reading.
    func reader() -> BytesReader { BytesReader(state.withLock { $0.bytes }) }
}
