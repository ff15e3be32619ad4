import Core
import Hummingbird
import Logging
import NIOCore

/// `GET /metrics`: figures for Prometheus. They name pipelines: where authentication is on, who reads the server's logs
/// may read them.
struct MetricsRoutes: HTTPRoutes {
    let metrics: ServerMetrics
    let gate: HTTPGate
    let executor: IOExecutor
    let logger: Logger

    func register(in router: Router<BasicRequestContext>) {
        router.get("/metrics") { request, _ -> Response in
            do {
                let text = try await withTaskExecutorPreference(executor) {
                    _ = try gate.principal(of: request, under: .entrusted(.clusterGetPachdLogs))
                    return try metrics.text()
                }
                return Response(
                    status: .ok, headers: [.contentType: MetricsText.contentType],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
            } catch let refusal as SpileError where HTTPGate.isRefusal(refusal) {
                return HTTPGate.response(refusal)
            } catch {
                logger.warning("the metrics cannot be gathered", metadata: ["error": "\(error)"])
                return Response.text("\(error)\n", status: .serviceUnavailable)
            }
        }
    }
}
