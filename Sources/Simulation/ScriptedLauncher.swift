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
        var forgotten: [PipelineKey] = []
        var left: [PipelineKey] = []
        var forgetting: Set<PipelineKey> = []
        var whileForgetting: @Sendable () async -> Void = {}
    }

    /// What a program does, all at once, with the folder and the variables of its order; gives how it ends, nil for one
    /// that goes on until ``end(_:_:)`` or a stop.
    package typealias Code = @Sendable (LaunchOrder) throws -> LaunchExit?

    private let state = Mutex(State())
    /// Each start, as it happens.
    package let starts = ScriptedMailbox<(handle: LaunchHandle, order: LaunchOrder)>()
    /// Each pipeline that was forgotten, as it happens.
    package let forgets = ScriptedMailbox<PipelineKey>()
    /// Each stop that was asked for.
    package let stops = ScriptedMailbox<(handle: LaunchHandle, grace: Double)>()

    private let owner: PfsOwner
    private let serviceAddress: String?

    /// What it answers for every order, and for every pipeline.
    package init(pfsOwner: PfsOwner = .server, serviceAddress: String? = nil) {
        owner = pfsOwner
        self.serviceAddress = serviceAddress
    }

    package func serviceAddress(of pipeline: PipelineKey, on kind: LauncherKind?) async throws -> String? {
        serviceAddress
    }

    /// Pipelines that were forgotten, in order.
    package var forgotten: [PipelineKey] { state.withLock { $0.forgotten } }

    /// Something stays of this pipeline from an earlier server.
    package func leave(_ pipeline: PipelineKey) { state.withLock { $0.left.append(pipeline) } }

    /// What else happens while a pipeline is forgotten.
    package func setForgetting(_ body: @escaping @Sendable () async -> Void) {
        state.withLock { $0.whileForgetting = body }
    }

    package func forget(_ pipeline: PipelineKey) async throws {
        let body = state.withLock { state in
            state.forgetting.insert(pipeline)
            return state.whileForgetting
        }
        await body()
        state.withLock { state in
            state.forgetting.remove(pipeline)
            let runs = state.runs.values.filter { $0.order.pipeline == pipeline && $0.order.run.isEmpty }
            if runs.contains(where: { $0.exit == nil }) {
                state.breaches.append("\(pipeline) was forgotten while it ran")
            }
            state.forgotten.append(pipeline)
        }
        forgets.put(pipeline)
    }

    package func forgetAll(where isGone: @Sendable (PipelineKey) throws -> Bool) async throws {
        for pipeline in state.withLock({ $0.left }) where try isGone(pipeline) { try await forget(pipeline) }
    }

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
            // A transform's may be about: it has taken the place of what is forgotten.
            if order.run.isEmpty, state.forgetting.contains(order.pipeline) {
                state.breaches.append("\(handle) was started while its pipeline was forgotten")
            }
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
