import Core
import Foundation

extension KubernetesLauncher {
    /// Who of the servers of one catalog (`cluster`, its id) runs code: a Lease of the namespace says so. Of no use any
    /// more when the launcher is closed.
    package func lease(of cluster: String) -> any Leadership {
        let host = ProcessInfo.processInfo.environment["HOSTNAME"] ?? "server"
        let life = String(client.time.randomness.next(), radix: 36)
        return LeaseLeadership(
            KubernetesLeader(
                client: client, name: "spile-\(cluster.lowercased().prefix(32))", identity: "\(host)_\(life)",
                logger: logger))
    }
}
