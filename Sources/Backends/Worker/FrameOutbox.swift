import Dispatch
import Synchronization

/// Frames on their way to the other end of a socket, which a thread of its own sends in order: who puts one in waits,
/// and blocks no thread, while so many are waiting already.
final class FrameOutbox: Sendable {
    private struct State {
        var frames: [FarFrame] = []
        var waiters: [CheckedContinuation<Void, Never>] = []
        var isClosed = false
    }

    private let capacity: Int
    private let state = Mutex(State())
    private let isThere = DispatchSemaphore(value: 0)

    /// `send`: false where nobody hears it any more; what comes later is dropped then.
    init(capacity: Int, send: @escaping @Sendable (FarFrame) -> Bool) {
        self.capacity = capacity
        BlockingThread.start { [self] in
            while let frame = next() { if !send(frame) { close() } }
        }
    }

    /// False where it is closed.
    func put(_ frame: FarFrame) async -> Bool {
        while true {
            if let isPut = putNow(frame) { return isPut }
            await withCheckedContinuation { waiter in
                let mustWait = state.withLock { state in
                    let isFull = !state.isClosed && state.frames.count >= capacity
                    if isFull { state.waiters.append(waiter) }
                    return isFull
                }
                if !mustWait { waiter.resume() }
            }
        }
    }

    /// Nil where there is no room.
    private func putNow(_ frame: FarFrame) -> Bool? {
        let isPut = state.withLock { state -> Bool? in
            if state.isClosed { return false }
            if state.frames.count >= capacity { return nil }
            state.frames.append(frame)
            return true
        }
        if isPut == true { isThere.signal() }
        return isPut
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Ends the thread. May be called again.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            state.frames = []
            defer { state.waiters = [] }
            return state.waiters
        }
        isThere.signal()
        for waiter in waiters { waiter.resume() }
    }

    private func next() -> FarFrame? {
        isThere.wait()
        let (frame, waiter) = state.withLock { state -> (FarFrame?, CheckedContinuation<Void, Never>?) in
            if state.isClosed || state.frames.isEmpty { return (nil, nil) }
            return (state.frames.removeFirst(), state.waiters.isEmpty ? nil : state.waiters.removeFirst())
        }
        waiter?.resume()
        return frame
    }
}
