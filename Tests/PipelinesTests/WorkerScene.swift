import Backends
import Core
import Foundation
import Logging
import Simulation
import TestHelpers
import Testing

/// A worker of a launcher that has run nothing yet, and what its code printed.
final class WorkerScene: Sendable {
    let backend: LauncherBackend
    let folder = TemporaryFolder()
    let launcher: any Launcher
    let host: LaunchedWorkers
    private let door: WorkerDoor?
    let output = ScriptedMailbox<LaunchOutput>()

    /// `spile`, built beside the tests.
    static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("spile").path

    /// A `spile` that runs in any image, which the tests do not build themselves.
    static let staticProgram = ProcessInfo.processInfo.environment["SPILE_STATIC"]

    /// The launchers that can keep workers here, and one whose workers have their files elsewhere. Pods are tried as
    /// programs of a whole server (`Tests/kubernetes`).
    static let settings =
        LauncherBackend.ready.filter {
            $0 == .process || $0 == .container && staticProgram != nil
        }.map { WorkerSetting(backend: $0) } + [WorkerSetting(backend: .process, isFar: true)]

    init(_ setting: WorkerSetting = WorkerSetting(backend: .process)) throws {
        backend = setting.backend
        door = setting.isFar ? WorkerDoor(.host("127.0.0.1")) : nil
        let inner = try Self.launcher(setting.backend, folder.path)
        launcher = setting.isFar ? FarLauncher(inner, folder: folder.path) : inner
        host = Self.host(launcher, door: door)
        try FileManager.default.createDirectory(
            atPath: pfs + "/.scratch", withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
    }

    deinit {
        door?.close()
        folder.remove()
    }

    static func host(_ launcher: any Launcher, door: WorkerDoor? = nil) -> LaunchedWorkers {
        LaunchedWorkers(launcher: launcher, door: door, randomness: Chance())
    }

    var pfs: String { folder.path + "/pfs" }

    static func launcher(_ backend: LauncherBackend, _ folder: String) throws -> any Launcher {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        switch backend {
        case .kubernetes: return try backend.open(folder)
        case .process: return try ProcessLauncher(root: folder + "/runs", tool: program, logger: logger)
        case .container:
            return try ContainerLauncher(
                root: folder + "/runs",
                options: ContainerOptions(
                    command: ContainerTesting.command, pull: .never, toolBinary: staticProgram,
                    owner: String(folder.suffix(6))),
                environment: ProcessInfo.processInfo.environment, logger: logger)
        }
    }

    func order(_ configure: (inout LaunchOrder) -> Void = { _ in }) -> LaunchOrder {
        let output = output
        var order = LaunchOrder(
            pipeline: PipelineKey(name: "p"), epoch: 0, command: ["no-such-program"],
            environment: [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("A", "1"), ("B", "base")],
            output: { output.put($0) })
        order.run = "1"
        order.pfsFolder = pfs
        order.image = LaunchImage(name: ContainerTesting.image, environment: order.environment)
        configure(&order)
        return order
    }

    func start(_ configure: (inout LaunchOrder) -> Void = { _ in }) async throws -> any Worker {
        try await host.start(order(configure))
    }

    /// A run of a shell script.
    func script(_ text: String, configure: (inout WorkerRun) -> Void = { _ in }) -> WorkerRun {
        let output = output
        var run = WorkerRun(command: ["sh", "-c", text], output: { output.put($0) })
        configure(&run)
        return run
    }

    var lines: [String] { output.untaken.map(\.line) }
}

/// What runs a worker, and where its files are.
struct WorkerSetting: Sendable, CustomTestStringConvertible {
    let backend: LauncherBackend
    var isFar = false

    var testDescription: String { "\(backend)\(isFar ? ", far" : "")" }
}

extension WorkerRunEnd {
    /// How the code ended; nil if it did not.
    var exit: LaunchExit? { if case .ended(let exit) = self { exit } else { nil } }
    var refusal: SpileError? { if case .refused(let error) = self { error } else { nil } }
    var isLost: Bool { if case .lost = self { true } else { false } }
}
