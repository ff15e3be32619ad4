import Backends
import Core
import Foundation
import Logging
import Pipelines

/// How code is run in a cluster, and where that is.
package struct KubernetesSettings: Sendable {
    /// A kubeconfig; nil takes the one that `KUBECONFIG` names, else the service account of the pod that this server
    /// runs in.
    package var kubeconfig: String?
    /// Where pods are made; nil for the namespace of the account or the kubeconfig's context.
    package var namespace: String?
    /// The Service by which pods find this server, `NAME[:PORT]`; without a port, the one that it listens on.
    package var service = "pachd"
    /// An image with the static program, which brings `pachctl` to every pod; nil for none.
    package var image: String?
    /// The volume claim that this server and its pods share, `NAME[:FOLDER]`: where this server has it mounted, which
    /// is its data folder unless said otherwise. Nil refuses pipelines with files at `/pfs`.
    package var claim: String?
    /// The service account of users' code; nil for the namespace's own.
    package var account: String?
    /// Where workers find this server, `HOST[:PORT]`; nil for its own address toward the cluster, and a free port.
    package var workerAddress: String?
    /// Pull secrets of the namespace that every pod gets.
    package var pullSecrets: [String] = []

    package init() {}

    /// Whether somebody wants this launcher, though it is not the usual one.
    var isAsked: Bool { kubeconfig != nil || namespace != nil }

    /// Where pods find this server.
    func address() throws(SpileError) -> LaunchAddress {
        guard let (host, port) = Self.parts(service) else {
            throw SpileError(
                .invalidArgument, "--kubernetes-service \(service) is not NAME[:PORT]",
                remedy: "name the Service of this server, such as pachd or pachd.spile.svc:30650")
        }
        return LaunchAddress(host: host, port: port)
    }

    /// `HOST[:PORT]`; nil for what is none.
    static func parts(_ text: String) -> (host: String, port: Int?)? {
        // An address of IPv6 has colons of its own: with a port it stands in brackets.
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let (host, rest) = (text[..<end].dropFirst(), text[end...].dropFirst())
            if host.isEmpty { return nil }
            if rest.isEmpty { return (String(host), nil) }
            guard rest.first == ":", let port = Int(rest.dropFirst()), 1...65535 ~= port else { return nil }
            return (String(host), port)
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isAddress = parts.count > 2 && text.utf8.allSatisfy { "0123456789abcdefABCDEF:.".utf8.contains($0) }
        if isAddress { return (text, nil) }
        if parts.count > 2 { return nil }
        guard let host = parts.first, !host.isEmpty else { return nil }
        if parts.count == 1 { return (String(host), nil) }
        guard let port = Int(parts[1]), 1...65535 ~= port else { return nil }
        return (String(host), port)
    }

    /// Makes the launcher, and where its workers come to. `data` is this server's folder, `owner` the same for all
    /// servers of one catalog and for no other's. Throws what is wrong with the settings or the place; the cluster is
    /// not asked yet.
    func make(
        data: String, owner: String, pull: String, environment: [String: String], logger: Logger
    ) throws -> (launcher: KubernetesLauncher, door: WorkerDoor) {
        var options = KubernetesOptions(owner: owner)
        options.toolImage = image
        options.pull = Self.pulls[pull] ?? .missing
        options.imagePullSecrets = pullSecrets
        options.serviceAccount = account
        options.sharedFolder = claim.map { Self.folder($0, data: data) }
        options.version = ServerVersion.text
        var config = try config(environment)
        if let namespace { config.namespace = namespace }
        let time = KubernetesTime(clock: SystemClock(), randomness: SystemRandomness())
        let door = try door(toward: config.server)
        let client = try KubernetesClient(config, time: time)
        return (KubernetesLauncher(client: client, options: options, logger: logger), door)
    }

    func door(toward server: String) throws(SpileError) -> WorkerDoor {
        guard let workerAddress else {
            let url = URLComponents(string: server)
            return WorkerDoor(
                .toward(host: url?.host ?? "", port: url?.port ?? (url?.scheme == "http" ? 80 : 443)))
        }
        guard let (host, port) = Self.parts(workerAddress) else {
            throw SpileError(
                .invalidArgument, "--kubernetes-address \(workerAddress) is not HOST[:PORT]",
                remedy: "give the address of this server in the network of its pods, such as 10.1.2.3:30654")
        }
        return WorkerDoor(.host(host), port: port ?? 0)
    }

    private static let pulls: [String: KubernetesOptions.Pull] = [
        "missing": .missing, "always": .always, "never": .never,
    ]

    private static func folder(_ claim: String, data: String) -> KubernetesOptions.SharedFolder {
        let parts = claim.split(separator: ":", maxSplits: 1)
        let path = parts.count == 2 ? URL(fileURLWithPath: String(parts[1])).standardizedFileURL.path : data
        return .init(claim: String(parts.first ?? ""), path: path)
    }

    private func config(_ environment: [String: String]) throws -> KubernetesConfig {
        guard let path = kubeconfig ?? environment["KUBECONFIG"].flatMap({ $0.isEmpty ? nil : $0 }) else {
            return try .inCluster(environment: environment)
        }
        let file = URL(fileURLWithPath: path).standardizedFileURL
        let text: String
        do { text = try String(contentsOf: file, encoding: .utf8) } catch {
            throw SpileError(
                .failedPrecondition, "the kubeconfig \(file.path) cannot be read: \(error.localizedDescription)",
                remedy: "give one file with --kubeconfig, or run the server in the cluster")
        }
        return try .kubeconfig(text, folder: file.deletingLastPathComponent().path)
    }
}
