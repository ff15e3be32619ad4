import Core
import Logging
import Versioning

/// Tells whoever runs services when the jobs of one may have changed: a new one, one that is over, an input that is
/// finished.
package struct JobWatch: Sendable {
    private let history: History
    private let changed: @Sendable (PipelineKey) -> Void
    private let logger: Logger

    /// `changed` is called for every service that has a job under way or had one at the event before; many events in a
    /// row may make one call.
    package init(history: History, changed: @escaping @Sendable (PipelineKey) -> Void, logger: Logger) {
        self.history = history
        self.changed = changed
        self.logger = logger
    }

    /// Runs until the task is cancelled or the server shuts down.
    package func run() async {
        var known: Set<PipelineKey> = []
        while true {
            let generation = history.events.generation(repo: EventHub.jobs)
            do {
                let services = try await look()
                for key in known.union(services).sorted() { changed(key) }
                known = services
            } catch {
                logger.error("cannot look at the jobs of services", metadata: ["error": "\(error)"])
            }
            do { try await history.events.wait(repo: EventHub.jobs, after: generation) } catch { return }
        }
    }

    /// Ends the jobs that cannot run, and gives the services that have jobs under way.
    private func look() async throws -> Set<PipelineKey> {
        let (services, stuck) = try history.read { catalog in
            let services = try ServiceJobs.busy(in: catalog)
            return (services, try services.filter { try !ServiceJobs.unrunnable(of: $0, in: catalog).isEmpty })
        }
        for key in stuck.sorted() {
            try await history.transact(as: .server) { try ServiceJobs.endUnrunnable(of: key, in: $0) }
        }
        return services
    }
}
