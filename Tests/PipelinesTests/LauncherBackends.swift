import Backends
import Core
import Foundation
import Logging
import Simulation
import Testing

/// The launchers that the rules hold for. One more case, and the whole suite runs for it too.
enum LauncherBackend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case process, container, kubernetes

    var testDescription: String { rawValue }

    /// Those that can run here. Containers need an image, which `Scripts/test-image.sh` makes; pods run as such, in the
    /// cluster of `Tests/kubernetes/cluster.py`.
    static let ready: [LauncherBackend] = allCases.filter {
        switch $0 {
        case .process: true
        case .container: ContainerTesting.isReady
        case .kubernetes: ContainerTesting.isReady && KubernetesCluster.isInstalled
        }
    }

    /// Whether lines bear the stream that they came by. A pod's log tells none apart.
    var tellsStreams: Bool { self != .kubernetes }

    /// Bytes that a standard input may have. It reaches a pod in a Secret, with all else that it needs.
    var longestInput: Int { self == .kubernetes ? 768 << 10 : 1 << 20 }

    /// A launcher that keeps its folders below `folder`; two of one folder stand for a server and its successor.
    func open(_ folder: String) throws -> any Launcher {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        switch self {
        case .process: return try ProcessLauncher(root: folder + "/runs", logger: logger)
        case .container:
            let owner = String(folder.suffix(6))
            return try ContainerLauncher(
                root: folder + "/runs",
                options: ContainerOptions(
                    command: ContainerTesting.command, pull: .never, toolBinary: "/bin/true", owner: owner),
                environment: ProcessInfo.processInfo.environment, logger: logger)
        case .kubernetes: return try KubernetesCluster.shared().launcher(of: folder, logger: logger)
        }
    }
}

/// Whether this machine can run the container half of the suite.
enum ContainerTesting {
    /// A busybox without a C library.
    static let image = "localhost/spile-tests/busybox:latest"

    /// `SPILE_TEST_CONTAINERS` names another command than podman, such as docker.
    static let command = ProcessInfo.processInfo.environment["SPILE_TEST_CONTAINERS"] ?? "podman"

    static let isReady = run(["image", "inspect", image]) == 0

    /// Runs the command to its end; its exit status.
    @discardableResult
    static func run(_ arguments: [String]) -> Int32 { finish(arguments).status }

    /// Runs the command to its end; the words it printed.
    static func output(_ arguments: [String]) -> [String] {
        finish(arguments).output.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private static func finish(_ arguments: [String]) -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [command] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return (-1, "") }
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }
}

/// A launcher with a folder of its own, and what its programs printed.
final class LauncherScene: Sendable {
    let backend: LauncherBackend
    let folder = TemporaryFolder()
    let launcher: any Launcher
    let output = ScriptedMailbox<LaunchOutput>()

    init(_ backend: LauncherBackend) throws {
        self.backend = backend
        launcher = try backend.open(folder.path)
    }

    deinit { folder.remove() }

    func order(_ command: [String], configure: (inout LaunchOrder) -> Void = { _ in }) -> LaunchOrder {
        let output = output
        var order = LaunchOrder(
            pipeline: PipelineKey(name: "p"), epoch: 1, command: command,
            environment: [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("A", "1 2"), ("B", "'q\"")],
            output: { output.put($0) })
        order.image = LaunchImage(name: ContainerTesting.image, environment: order.environment)
        configure(&order)
        return order
    }

    func start(_ script: String, configure: (inout LaunchOrder) -> Void = { _ in }) async throws -> LaunchHandle {
        try await launcher.start(order(["sh", "-c", script], configure: configure))
    }

    func run(_ script: String, configure: (inout LaunchOrder) -> Void = { _ in }) async throws -> LaunchExit {
        try await launcher.wait(try await start(script, configure: configure))
    }

    var lines: [String] { output.untaken.map(\.line) }

    /// Names of what the launcher keeps of runs that are over, or of none.
    func leftovers() async throws -> [String] {
        if backend == .kubernetes { return try await KubernetesCluster.shared().objects(of: folder.path) }
        return TemporaryFolder.names(of: folder.path + "/runs/default/p")
    }
}

/// One rule that every launcher keeps.
struct LauncherRule: Sendable, CustomTestStringConvertible {
    let name: String
    let check: @Sendable (LauncherScene) async throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (LauncherScene) async throws -> Void) {
        self.name = name
        self.check = check
    }

    var testDescription: String { name }
}

@Suite(.timeLimit(.minutes(15))) struct LauncherConformanceTests {
    @Test(arguments: LauncherBackend.ready, LauncherSuite.all)
    func `a launcher keeps the rule`(backend: LauncherBackend, rule: LauncherRule) async throws {
        try await rule.check(LauncherScene(backend))
    }
}
