import Core
import Synchronization

/// The end of a run, for all who wait for it. Guarded by its mutex.
final class LaunchEnding: Sendable {
    private struct State {
        var exit: LaunchExit?
        var waiters: [CheckedContinuation<LaunchExit, Never>] = []
    }

    private let state = Mutex(State())

    var isOver: Bool { state.withLock { $0.exit != nil } }

    /// How the run ended, once it has.
    func value() async -> LaunchExit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> LaunchExit? in
                if state.exit == nil { state.waiters.append(continuation) }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    /// To be called once.
    func conclude(_ exit: LaunchExit) {
        let waiters = state.withLock { state in
            state.exit = exit
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }
}

extension LaunchExit {
    /// What `waitpid` told.
    init(waitStatus status: Int32) {
        self = status & 0x7f == 0 ? .exited(code: status >> 8 & 0xff) : .signalled(number: status & 0x7f)
    }
}
