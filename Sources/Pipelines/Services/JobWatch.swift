import Core
import Logging
import Versioning

/// Tells whoever runs services when the jobs of one may have changed: a new one, one that is over, an input that is
/// finished.
package struct JobWatch: Sendable {
    private let history: History
    private let changed: @Sendable (PipelineKey) -> Void
    private let sleep: @Sendable (Double) async throws -> Void
    private let logger: Logger

    /// `changed` is called for every service whose job to be served is another one than before; many events in a row
    /// may make one call. `sleep` returns after so many seconds, or throws when its task is cancelled.
    package init(
        history: History, changed: @escaping @Sendable (PipelineKey) -> Void,
        sleep: @escaping @Sendable (Double) async throws -> Void, logger: Logger
    ) {
        self.sleep = sleep
        self.history = history
        self.changed = changed
        self.logger = logger
    }

    /// Runs until the task is cancelled or the server shuts down.
    package func run() async {
        var known: [PipelineKey: CommitID?] = [:]
        while true {
            let generation = history.events.generation(repo: EventHub.jobs)
            do {
                let services = try look()
                for key in Set(known.keys).union(services.keys).sorted() where known[key] != services[key] {
                    changed(key)
                }
                known = services
                try await endUnrunnable(of: services.keys.sorted())
            } catch {
                logger.error("cannot look at the jobs of services", metadata: ["error": "\(error)"])
                guard (try? await sleep(1)) != nil else { return }
                continue
            }
            do { try await history.events.wait(repo: EventHub.jobs, after: generation) } catch { return }
        }
    }

    /// The services that have jobs under way, each with the one to be served, if it can be.
    private func look() throws -> [PipelineKey: CommitID?] {
        try history.read { catalog in
            var services: [PipelineKey: CommitID?] = [:]
            for key in try catalog.busyPipelines(of: .service) {
                guard let pipeline = try catalog.pipeline(key) else { continue }
                services[key] = .some(try ServiceJobs.next(of: pipeline, in: catalog)?.key.id)
            }
            return services
        }
    }

    /// Ends the jobs that cannot run.
    private func endUnrunnable(of services: [PipelineKey]) async throws {
        for key in services where try history.read({ try !ServiceJobs.unrunnable(of: key, in: $0).isEmpty }) {
            try await history.transact(as: .server) { try ServiceJobs.endUnrunnable(of: key, in: $0) }
        }
    }
}
