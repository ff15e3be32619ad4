import Backends
import Core
import Foundation
import Logging
import Pipelines
import Storage

/// What runs users' code, and how.
package struct LauncherOptions: Sendable {
    /// For pipelines that ask for none.
    package var usual: LauncherKind
    /// The command that runs containers; nil takes podman, or else docker.
    package var containerCommand: String?
    /// The containers' network; `host` is this machine's own.
    package var containerNetwork: String
    /// When images are fetched: one of ``pulls``.
    package var imagePull: String
    /// The program that containers get as `pachctl`; nil for the running one.
    package var toolBinary: String?

    package static let pulls = ContainerOptions.Pull.allCases.map(\.rawValue)

    package init(
        usual: LauncherKind = .process, containerCommand: String? = nil, containerNetwork: String = "host",
        imagePull: String = "missing", toolBinary: String? = nil
    ) {
        self.usual = usual
        self.containerCommand = containerCommand
        self.containerNetwork = containerNetwork
        self.imagePull = imagePull
        self.toolBinary = toolBinary
    }

    /// Makes the launchers, which keep their folders at `processes` and `containers`. `host` is where the server
    /// serves running code, `serviceHost` where services are reached. Throws if the usual one cannot work here;
    /// another's fault is told when a pipeline asks for it.
    func make(
        processes: String, containers: String, host: String, serviceHost: String, logger: Logger
    ) throws -> any Launcher {
        var launchers: [LauncherKind: any Launcher] = [
            .process: try ProcessLauncher(root: processes, tool: try ToolFolder.running(), logger: logger)
        ]
        var absent: [LauncherKind: SpileError] = [:]
        do {
            try checkNetwork(host)
            launchers[.container] = try ContainerLauncher(
                root: containers,
                options: ContainerOptions(
                    command: containerCommand, network: containerNetwork,
                    pull: ContainerOptions.Pull(rawValue: imagePull) ?? .missing,
                    toolBinary: toolBinary.map { URL(fileURLWithPath: $0).path },
                    owner: String("\(Hashing.sha256(Array(containers.utf8)))".prefix(32)),
                    serviceHost: serviceHost),
                environment: ProcessInfo.processInfo.environment, logger: logger)
        } catch let error as SpileError where usual != .container {
            absent[.container] = error
        }
        return Launchers(usual: usual, launchers: launchers, absent: absent)
    }

    /// In a network of its own a container reaches the server by the address that the server listens on, or not at all.
    private func checkNetwork(_ host: String) throws(SpileError) {
        if containerNetwork == "host" || !["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"].contains(host) { return }
        throw SpileError(
            .failedPrecondition, "containers in the network \(containerNetwork) cannot reach the server at \(host)",
            remedy: "let --listen name an address of this machine in that network, such as its gateway; with TLS, use "
                + "the network host")
    }
}
