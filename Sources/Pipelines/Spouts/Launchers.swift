import Core

/// Several launchers as one: an order goes to the one it asks for, or else to the server's usual one; a handle names
/// the launcher that gave it.
package struct Launchers: Launcher {
    private let usual: LauncherKind
    private let launchers: [LauncherKind: any Launcher]
    /// Why a launcher that is not among them cannot be used.
    private let absent: [LauncherKind: SpileError]

    /// `usual` has to be among `launchers`.
    package init(
        usual: LauncherKind, launchers: [LauncherKind: any Launcher], absent: [LauncherKind: SpileError] = [:]
    ) {
        precondition(launchers[usual] != nil, "the usual launcher is missing")
        self.usual = usual
        self.launchers = launchers
        self.absent = absent
    }

    package func start(_ order: LaunchOrder) async throws -> LaunchHandle {
        let (kind, launcher) = try launcher(of: order)
        return LaunchHandle("\(kind.rawValue) \(try await launcher.start(order))")
    }

    package func pfsOwner(of order: LaunchOrder) throws -> PfsOwner {
        try launcher(of: order).launcher.pfsOwner(of: order)
    }

    private func launcher(of order: LaunchOrder) throws -> (kind: LauncherKind, launcher: any Launcher) {
        let kind = order.launcher ?? usual
        guard let launcher = launchers[kind] else {
            throw absent[kind]
                ?? SpileError(.failedPrecondition, "this server has no launcher \"\(kind.rawValue)\"")
        }
        return (kind, launcher)
    }

    package func mountsSecrets(of order: LaunchOrder) -> Bool {
        launchers[order.launcher ?? usual]?.mountsSecrets(of: order) ?? false
    }

    package func publishesPort(of order: LaunchOrder) -> Bool {
        launchers[order.launcher ?? usual]?.publishesPort(of: order) ?? false
    }

    package func mountsFolders(of order: LaunchOrder) -> Bool {
        launchers[order.launcher ?? usual]?.mountsFolders(of: order) ?? true
    }

    package func workerProgram(of order: LaunchOrder) -> String? {
        launchers[order.launcher ?? usual]?.workerProgram(of: order)
    }

    package func reachesLoopback(from order: LaunchOrder) -> Bool {
        launchers[order.launcher ?? usual]?.reachesLoopback(from: order) ?? false
    }

    package func wait(_ handle: LaunchHandle) async throws -> LaunchExit {
        guard let (launcher, own) = find(handle) else { throw SpileError.notFound("no launcher knows \(handle)") }
        return try await launcher.wait(own)
    }

    package func isAlive(_ handle: LaunchHandle) async -> Bool {
        guard let (launcher, own) = find(handle) else { return false }
        return await launcher.isAlive(own)
    }

    package func stop(_ handle: LaunchHandle, grace: Double) async {
        guard let (launcher, own) = find(handle) else { return }
        await launcher.stop(own, grace: grace)
    }

    package func endLeftovers(grace: Double) async {
        await withDiscardingTaskGroup { group in
            for launcher in launchers.values { group.addTask { await launcher.endLeftovers(grace: grace) } }
        }
    }

    package func serviceAddress(of pipeline: PipelineKey, on kind: LauncherKind?) async throws -> String? {
        try await launchers[kind ?? usual]?.serviceAddress(of: pipeline, on: kind)
    }

    package func forget(_ pipeline: PipelineKey) async throws {
        for launcher in launchers.values { try await launcher.forget(pipeline) }
    }

    package func forgetAll(where isGone: @Sendable (PipelineKey) throws -> Bool) async throws {
        for launcher in launchers.values { try await launcher.forgetAll(where: isGone) }
    }

    package func close() async {
        for launcher in launchers.values { await launcher.close() }
    }

    private func find(_ handle: LaunchHandle) -> (launcher: any Launcher, own: LaunchHandle)? {
        let parts = handle.text.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let launcher = LauncherKind(rawValue: String(parts[0])).flatMap({ launchers[$0] })
        else { return nil }
        return (launcher, LaunchHandle(String(parts[1])))
    }
}
