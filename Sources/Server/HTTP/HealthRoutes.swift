import Core
import Hummingbird
import ServiceLifecycle
import Synchronization

/// How far the server has got: moves forward only. Any task may ask; the mutex guards it.
final class ServerPhase: Sendable {
    enum Phase: Int, Sendable {
        case starting, serving, stopping
    }

    private let phase = Mutex(Phase.starting)

    var current: Phase { phase.withLock { $0 } }

    func reached(_ next: Phase) {
        phase.withLock { if $0.rawValue < next.rawValue { $0 = next } }
    }
}

/// Notes that the server is told to stop. The last of the services, thus the first to hear of it: probes are told
/// before anything is drained.
struct PhaseService: Service {
    let phase: ServerPhase

    func run() async throws {
        try? await gracefulShutdown()
        phase.reached(.stopping)
    }
}

/// `/healthz`: the process answers. `/readyz`: it takes calls and reaches its catalog; where its newest write could not
/// be made durable, a second line says why, and it stays ready: what is stored can be read, and writes are tried.
struct HealthRoutes: HTTPRoutes {
    let phase: ServerPhase
    /// Throws while the catalog does not answer.
    let check: @Sendable () throws -> Void
    /// Why the newest write was refused; nil while writes are taken.
    let whyRefused: @Sendable () -> String?
    let executor: IOExecutor

    func register(in router: Router<BasicRequestContext>) {
        router.get("/healthz") { _, _ in "ok\n" }
        router.get("/readyz") { _, _ -> Response in
            do {
                return Response.text(try await withTaskExecutorPreference(executor) { try readiness() })
            } catch {
                return Response.text("\(error)\n", status: .serviceUnavailable)
            }
        }
    }

    /// What a server that is ready says; throws why it is not.
    func readiness() throws -> String {
        switch phase.current {
        case .starting: throw SpileError(.unavailable, "the server is starting")
        case .stopping: throw SpileError(.unavailable, "the server is shutting down")
        case .serving: try check()
        }
        return "ok\n" + (whyRefused().map { "the newest write was refused: \($0)\n" } ?? "")
    }
}
