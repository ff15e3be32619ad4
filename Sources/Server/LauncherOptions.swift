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
    package var kubernetes: KubernetesSettings

    package static let pulls = ContainerOptions.Pull.allCases.map(\.rawValue)

    package init(
        usual: LauncherKind = .process, containerCommand: String? = nil, containerNetwork: String = "host",
        imagePull: String = "missing", toolBinary: String? = nil, kubernetes: KubernetesSettings = .init()
    ) {
        self.usual = usual
        self.containerCommand = containerCommand
        self.containerNetwork = containerNetwork
        self.imagePull = imagePull
        self.toolBinary = toolBinary
        self.kubernetes = kubernetes
    }

    /// Where code of a launcher finds the server that does not find it as processes of this machine do.
    func addresses() throws(SpileError) -> [LauncherKind: LaunchAddress] { [.kubernetes: try kubernetes.address()] }

    /// What runs code, and who of several servers does so.
    struct Made {
        let launcher: any Launcher
        /// Where the usual launcher has a way of its own to say who leads.
        let lease: (any Leadership)?
        /// Where workers come to that have their files elsewhere; nil where there are none.
        let door: WorkerDoor?
    }

    /// Makes the launchers, which keep their folders at `processes` and `containers` of the data folder `data`. `host`
    /// is where the server serves running code, `serviceHost` where services are reached, `cluster` the id of its
    /// catalog. Throws if the usual one cannot work here; another's fault is told when a pipeline asks for it.
    func make(
        data: String, processes: String, containers: String, host: String, serviceHost: String, cluster: String,
        logger: Logger
    ) throws -> Made {
        let environment = ProcessInfo.processInfo.environment
        var launchers: [LauncherKind: any Launcher] = [
            .process: try ProcessLauncher(root: processes, tool: try ToolFolder.running(), logger: logger)
        ]
        var absent: [LauncherKind: SpileError] = [:]
        var lease: (any Leadership)?
        var door: WorkerDoor?
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
                environment: environment, logger: logger)
        } catch let error as SpileError where usual != .container {
            absent[.container] = error
        }
        do {
            guard usual == .kubernetes || kubernetes.isAsked else { throw Self.noCluster }
            try checkReach(host)
            let (launcher, opened) = try kubernetes.make(
                data: data, owner: cluster, pull: imagePull, environment: environment, logger: logger)
            door = opened
            if usual == .kubernetes { lease = launcher.lease(of: cluster) }
            launchers[.kubernetes] = launcher
        } catch let error as SpileError where usual != .kubernetes {
            absent[.kubernetes] = error
        }
        return Made(launcher: Launchers(usual: usual, launchers: launchers, absent: absent), lease: lease, door: door)
    }

    private static let noCluster = SpileError(
        .failedPrecondition, "this server runs no code in Kubernetes",
        remedy: "start it with --launcher kubernetes, or with --kubeconfig for pipelines that ask for it")

    /// What leads to this machine alone.
    private static let loopback = ["127.0.0.1", "localhost", "::1"]

    /// Pods run on other machines.
    private func checkReach(_ host: String) throws(SpileError) {
        if !Self.loopback.contains(host) { return }
        throw SpileError(
            .failedPrecondition, "pods cannot reach the server at \(host)",
            remedy: "listen on an address that a Service leads to: --listen 0.0.0.0:30650; with TLS, also "
                + "--peer-listen 0.0.0.0:30653")
    }

    /// In a network of its own a container reaches the server by the address that the server listens on, or not at all.
    private func checkNetwork(_ host: String) throws(SpileError) {
        if containerNetwork == "host" || !(Self.loopback + ["0.0.0.0", "::"]).contains(host) { return }
        throw SpileError(
            .failedPrecondition, "containers in the network \(containerNetwork) cannot reach the server at \(host)",
            remedy: "let --listen name an address of this machine in that network, such as its gateway; with TLS, use "
                + "the network host")
    }
}
