import Hummingbird
import Logging
import NIOCore

/// `GET /metrics`: figures for Prometheus.
struct MetricsRoutes: HTTPRoutes {
    let metrics: ServerMetrics
    let executor: IOExecutor
    let logger: Logger

    func register(in router: Router<BasicRequestContext>) {
        router.get("/metrics") { _, _ -> Response in
            do {
                let text = try await withTaskExecutorPreference(executor) { try metrics.text() }
                return Response(
                    status: .ok, headers: [.contentType: MetricsText.contentType],
                    body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
            } catch {
                logger.warning("the metrics cannot be gathered", metadata: ["error": "\(error)"])
                return Response.text("\(error)\n", status: .serviceUnavailable)
            }
        }
    }
}
