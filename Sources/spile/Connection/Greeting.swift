import API
import GRPCCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

/// The call before every command's own: `InspectCluster` says whether server and client fit (`contract/cli.md` §2.2).
struct Greeting: Sendable {
    let client: GRPCClient<Session.Transport>
    let endpoint: Endpoint
    /// The context's project, not that of `--project`.
    let project: String

    /// How long a refused connection is tried again.
    static let patience = Duration.seconds(5)

    func perform() async throws -> AdminV2_ClusterInfo {
        let environment = Environment.process
        let clock = ContinuousClock()
        let end = clock.now + Self.patience
        while true {
            do {
                let cluster = try await inspect()
                report(cluster, environment)
                return cluster
            } catch let error as RPCError where error.code == .unavailable && !Watchdog.isConnected {
                let cause = Self.reason(error)
                if clock.now >= end { throw Failure(endpoint.unreachable(cause)) }
                Watchdog.refused(cause)
                try await Task.sleep(for: .milliseconds(50))
            } catch let error as RPCError {
                throw Failure("could not get cluster ID: \(error.message)")
            }
        }
    }

    private func inspect() async throws -> AdminV2_ClusterInfo {
        let admin = AdminV2_API.Client(wrapping: client)
        var request = AdminV2_InspectClusterRequest.with { $0.clientVersion = ProgramVersion.wire }
        if !project.isEmpty { request.currentProject.name = project }
        do {
            return try await admin.inspectCluster(request)
        } catch let error as RPCError
            where !project.isEmpty && (error.code == .unauthenticated || error.code == .permissionDenied)
        {
            request.clearCurrentProject()
            return try await admin.inspectCluster(request)
        }
    }

    /// What was tried and what the system said about it, without the layers between.
    static func reason(_ error: RPCError) -> String {
        var texts: [String] = []
        var next: (any Error)? = error
        while let current = next {
            let rpc = current as? RPCError
            let text = systemText(rpc?.message ?? "\(current)")
            if !text.hasPrefix("Channel is in"), texts.last != text { texts.append(text) }
            next = rpc?.cause
        }
        return texts.joined(separator: ": ")
    }

    /// The system's words for the error a text names by number: `… (errno: 111)` is `connection refused`.
    private static func systemText(_ text: String) -> String {
        guard let mark = text.range(of: "(errno: "), let number = Int32(text[mark.upperBound...].prefix { $0 != ")" })
        else { return text }
        let words = String(cString: strerror(number))
        return words.prefix(1).lowercased() + words.dropFirst()
    }

    private func report(_ cluster: AdminV2_ClusterInfo, _ environment: Environment) {
        if environment.nonEmpty("PACHYDERM_IGNORE_VERSION_SKEW") == nil {
            for warning in cluster.warnings { Console.note("warning: \(warning)") }
        }
        if cluster.paused, environment.nonEmpty("PACHYDERM_IGNORE_PAUSED_MODE") == nil {
            Console.note("warning: the server is paused; some commands will not work")
        }
        if cluster.pendingRestart, environment.nonEmpty("PACHYDERM_IGNORE_PENDING_RESTART") == nil {
            Console.note("warning: the server is about to restart: \(cluster.restartInfo)")
        }
    }

    /// Keeps the server's deployment id in the context that has none. A config that cannot be written is no failure.
    static func remember(_ cluster: AdminV2_ClusterInfo, in store: ConfigStore, context name: String?) {
        guard let name, !cluster.deploymentID.isEmpty, var config = try? store.load(),
            var context = config[context: name], context.clusterDeploymentID.isEmpty
        else { return }
        context.clusterDeploymentID = cluster.deploymentID
        config[context: name] = context
        try? store.save(config)
    }
}

/// What this program says it is. The number is the newest line of the wire contract it speaks.
enum ProgramVersion {
    static let major: UInt32 = 2
    static let minor: UInt32 = 12
    static let micro: UInt32 = 2
    static let text = "\(major).\(minor).\(micro)"

    static let wire = VersionpbV2_Version.with {
        $0.major = major
        $0.minor = minor
        $0.micro = micro
    }
}
