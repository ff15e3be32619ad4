import Dispatch
import Synchronization

/// Between a thread that hears frames and the one task that works on them: so many wait at most, then the thread does.
final class FrameQueue: Sendable {
    private struct State {
        var frames: [FarFrame] = []
        var waiter: CheckedContinuation<FarFrame?, Never>?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let room: DispatchSemaphore

    init(capacity: Int) {
        // One that is gone may not have less than it began with.
        room = DispatchSemaphore(value: 0)
        for _ in 0..<capacity { room.signal() }
    }

    /// Blocks while there is no room; what comes after ``close()`` is dropped.
    func put(_ frame: FarFrame) {
        room.wait()
        let waiter = state.withLock { state -> CheckedContinuation<FarFrame?, Never>? in
            if state.isClosed { return nil }
            guard let waiter = state.waiter else {
                state.frames.append(frame)
                return nil
            }
            state.waiter = nil
            return waiter
        }
        if waiter != nil || isClosed { room.signal() }
        waiter?.resume(returning: frame)
    }

    /// The next one; nil when there will be none.
    func next() async -> FarFrame? {
        await withCheckedContinuation { continuation in
            let (frame, isOver) = state.withLock { state -> (FarFrame?, Bool) in
                if !state.frames.isEmpty { return (state.frames.removeFirst(), true) }
                if state.isClosed { return (nil, true) }
                state.waiter = continuation
                return (nil, false)
            }
            if frame != nil { room.signal() }
            if isOver { continuation.resume(returning: frame) }
        }
    }

    /// Nothing more is put in. May be called again.
    func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            defer { state.waiter = nil }
            return state.waiter
        }
        // Whoever waits for room finds it closed, and wakes the next.
        room.signal()
        waiter?.resume(returning: nil)
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }
}
