import Backends
import Core
import Foundation
import Logging
import Synchronization
import TestHelpers

/// The cluster of `Tests/kubernetes/cluster.py`: one process for all tests, which ends with this one. Each folder has a
/// namespace of its own in it; the volume that pods share is `/tmp`.
final class KubernetesCluster: Sendable {
    private struct Access: Decodable {
        var server: String
        var token: String
    }

    private static let environment = ".venv-kubernetes"

    static let isInstalled = PythonHelper.isInstalled(environment)

    private static let running = Result { try KubernetesCluster() }

    /// Starts it when first asked for.
    static func shared() throws -> KubernetesCluster { try running.get() }

    private let helper: PythonHelper
    private let access: Access
    /// By folder. None is closed: this process ends with them.
    private let clients = Mutex<[String: KubernetesClient]>([:])

    private init() throws {
        helper = try PythonHelper(Self.environment, "Tests/kubernetes/cluster.py", ["--claim", "tmp=/tmp"])
        access = try JSONDecoder().decode(Access.self, from: helper.line)
    }

    private func client(of folder: String) throws -> KubernetesClient {
        try clients.withLock { clients in
            if let client = clients[folder] { return client }
            let config = KubernetesConfig(
                server: access.server, namespace: String(folder.suffix(6)), credential: .token(access.token))
            let client = try KubernetesClient(
                config, time: KubernetesTime(clock: WallClock(), randomness: Chance()))
            clients[folder] = client
            return client
        }
    }

    /// A launcher that owns what a folder's other launchers own.
    func launcher(of folder: String, logger: Logger) throws -> KubernetesLauncher {
        var options = KubernetesOptions(owner: String(folder.suffix(6)))
        options.pull = .never
        options.sharedFolder = .init(claim: "tmp", path: "/tmp")
        return KubernetesLauncher(client: try client(of: folder), options: options, logger: logger)
    }

    /// Names of all that is there of a folder.
    func objects(of folder: String) async throws -> [String] {
        let client = try client(of: folder)
        var names: [String] = []
        for (plural, kind) in [("pods", KubernetesKind.pod), ("secrets", .secret), ("services", .service)] {
            names += try await client.list(kind).items.map { "\(plural) \($0["metadata"]?["name"]?.string ?? "")" }
        }
        return names
    }
}
