import Backends
import Core
import Dispatch
import Foundation
import Synchronization

@testable import Pipelines

/// A launcher of this machine that behaves as if its programs ran on another: what stands at `/pfs` of a worker, its
/// sidecar alone has in hand, which runs within the tests.
final class FarLauncher: Launcher {
    private let inner: any Launcher
    private let folder: String
    let ports = DeskPorts()
    private let places = Mutex<[LaunchSidecar]>([])

    /// Where the last sidecar came to, and by which key.
    var lastPlace: LaunchSidecar? { places.withLock { $0.last } }

    /// `folder`: the one whose `pfs` stands at `/pfs`, for one worker at a time.
    init(_ inner: any Launcher, folder: String) {
        self.inner = inner
        self.folder = folder
    }

    func start(_ order: LaunchOrder) async throws -> LaunchHandle {
        var order = order
        if let place = order.sidecar {
            places.withLock { $0.append(place) }
            order.pfsFolder = folder + "/pfs"
            try? FileManager.default.removeItem(atPath: folder + "/pfs/.scratch")
            try FileManager.default.createDirectory(atPath: folder + "/pfs", withIntermediateDirectories: true)
            let (files, ports) = (try SidecarStage(folder: folder), ports)
            let sidecar = try await onOwnThread { try Sidecar(place, files: files, ports: ports) }
            Task(executorPreference: OwnThread()) { await sidecar.run() }
        }
        return try await inner.start(order)
    }

    func mountsFolders(of order: LaunchOrder) -> Bool { false }
    func reachesLoopback(from order: LaunchOrder) -> Bool { false }
    func workerProgram(of order: LaunchOrder) -> String? { inner.workerProgram(of: order) }
    func wait(_ handle: LaunchHandle) async throws -> LaunchExit { try await inner.wait(handle) }
    func isAlive(_ handle: LaunchHandle) async -> Bool { await inner.isAlive(handle) }
    func stop(_ handle: LaunchHandle, grace: Double) async { await inner.stop(handle, grace: grace) }
    func endLeftovers(grace: Double) async { await inner.endLeftovers(grace: grace) }
}

/// Where tasks run that block: the tests' own have few threads, and may be what such a one waits for.
private final class OwnThread: TaskExecutor {
    private let queue = DispatchQueue(label: "sidecar")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Ports that are none: whoever opened one is asked here.
final class DeskPorts: DatumPorts {
    private let state = Mutex<(desk: (any DatumDesk)?, isOpen: Bool)>((nil, false))

    var desk: (any DatumDesk)? { state.withLock { $0.desk } }
    var isOpen: Bool { state.withLock { $0.isOpen } }

    func open(_ desk: any DatumDesk) async throws -> any DatumPort {
        state.withLock { $0 = (desk, true) }
        return Port { [weak self] in self?.state.withLock { $0.isOpen = false } }
    }

    private struct Port: DatumPort {
        let number = 1080
        let shut: @Sendable () -> Void
        func close() async { shut() }
    }
}
