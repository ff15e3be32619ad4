import Core
import Synchronization

/// A launcher whose programs do what a test says. Stricter than real ones: two runs of one pipeline at a time (of a
/// transform: runs of two of its launches), and a start before leftovers are ended, are breaches that ``breaches``
/// keeps.
package final class ScriptedLauncher: Launcher {
    /// Guarded by the lock around it.
    private struct State {
        var runs: [LaunchHandle: (order: LaunchOrder, exit: LaunchExit?)] = [:]
        var waiters: [LaunchHandle: [CheckedContinuation<LaunchExit, Never>]] = [:]
        var refusals: [SpileError] = []
        var ignoresStop = false
        var areLeftoversEnded = false
        var code: Code = { _ in nil }
        var breaches: [String] = []
    }

    /// What a program does, all at once, with the folder and the variables of its order; gives how it ends, nil for one
    /// that goes on until ``end(_:_:)`` or a stop.
    package typealias Code = @Sendable (LaunchOrder) throws -> LaunchExit?

    private let state = Mutex(State())
    /// Each start, as it happens.
    package let starts = ScriptedMailbox<(handle: LaunchHandle, order: LaunchOrder)>()
    /// Each stop that was asked for.
    package let stops = ScriptedMailbox<(handle: LaunchHandle, grace: Double)>()

    private let owner: PfsOwner

    /// `pfsOwner`: what it answers for every order.
    package init(pfsOwner: PfsOwner = .server) { owner = pfsOwner }

    package func pfsOwner(of order: LaunchOrder) throws -> PfsOwner { owner }

    package var breaches: [String] { state.withLock { $0.breaches } }
    package var liveRuns: Int { state.withLock { $0.runs.values.count { $0.exit == nil } } }

    /// The next start throws this.
    package func refuseNextStart(_ error: SpileError) { state.withLock { $0.refusals.append(error) } }

    /// From now on programs do not end by themselves when they are stopped: ``end(_:_:)`` says when.
    package func holdStops() { state.withLock { $0.ignoresStop = true } }

    /// What programs do that start from now on. One that throws ends with code 70.
    package func setCode(_ code: @escaping Code) { state.withLock { $0.code = code } }

    /// Lets a program print.
    package func print(_ line: String, from handle: LaunchHandle) {
        let order = state.withLock { $0.runs[handle]?.order }
        order?.output(LaunchOutput(stream: .standardOutput, line: line))
    }

    /// Lets a program end.
    package func end(_ handle: LaunchHandle, _ exit: LaunchExit) {
        let waiters = state.withLock { state in
            guard state.runs[handle]?.exit == nil else { return [CheckedContinuation<LaunchExit, Never>]() }
            state.runs[handle]?.exit = exit
            return state.waiters.removeValue(forKey: handle) ?? []
        }
        for waiter in waiters { waiter.resume(returning: exit) }
    }

    package func start(_ order: LaunchOrder) async throws -> LaunchHandle {
        let handle = LaunchHandle("\(order.pipeline)#\(order.number)")
        let code = try state.withLock { state in
            if !state.areLeftoversEnded { state.breaches.append("\(handle) was started before leftovers were ended") }
            if !state.refusals.isEmpty { throw state.refusals.removeFirst() }
            if state.runs.values.contains(where: { $0.exit == nil && Self.exclude($0.order, order) }) {
                state.breaches.append("\(handle) was started beside an older run")
            }
            if state.runs[handle] != nil { state.breaches.append("\(handle) was started twice") }
            state.runs[handle] = (order, nil)
            return state.code
        }
        starts.put((handle, order))
        let exit: LaunchExit?
        do { exit = try code(order) } catch { exit = .exited(code: 70) }
        if let exit { end(handle, exit) }
        return handle
    }

    /// Whether two runs must not be about at the same time: each but those of one launch's datums.
    private static func exclude(_ older: LaunchOrder, _ newer: LaunchOrder) -> Bool {
        older.pipeline == newer.pipeline && (older.epoch != newer.epoch || older.run.isEmpty || newer.run.isEmpty)
    }

    package func wait(_ handle: LaunchHandle) async throws -> LaunchExit {
        try state.withLock { state in
            if state.runs[handle] == nil { throw SpileError.notFound("no run \(handle)") }
        }
        return await withCheckedContinuation { continuation in
            let exit = state.withLock { state -> LaunchExit? in
                if let exit = state.runs[handle]?.exit { return exit }
                state.waiters[handle, default: []].append(continuation)
                return nil
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }

    package func isAlive(_ handle: LaunchHandle) async -> Bool {
        state.withLock { state in state.runs[handle].map { $0.exit == nil } ?? false }
    }

    package func stop(_ handle: LaunchHandle, grace: Double) async {
        stops.put((handle, grace))
        if !state.withLock({ $0.ignoresStop }) { end(handle, .signalled(number: 15)) }
        _ = try? await wait(handle)
    }

    package func endLeftovers(grace: Double) async { state.withLock { $0.areLeftoversEnded = true } }
}
