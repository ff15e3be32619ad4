import Core
import Foundation
import Logging
import ServiceLifecycle
import Versioning

/// Collects garbage every so often, if there should be some: on one thread of low priority, which works a tenth of the
/// time and rests for the others.
struct GarbageService: Service {
    private static let workShare = 0.1

    let history: History
    /// Whether this server is the one that collects.
    let leads: @Sendable () -> Bool
    /// Seconds between two looks; nil never looks.
    let interval: Double?
    let logger: Logger

    func run() async throws {
        guard let interval else { return }
        let pacer = Pacer()
        // Cancelled where another service fails, for example because its address is taken.
        await withTaskCancellationOrGracefulShutdownHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                OwnThread.start("garbage") {
                    do { while true { try look(after: interval, pacer) } } catch { continuation.resume() }
                }
            }
        } onCancelOrGracefulShutdown: {
            pacer.stop()
        }
    }

    /// Throws only when it is told to stop.
    private func look(after seconds: Double, _ pacer: Pacer) throws {
        try pacer.pause(seconds)
        guard leads() else { return }
        do {
            let expired = try history.transactBlocking {
                try $0.catalog.removeExpiredFileSets(at: $0.now, limit: 10_000)
            }
            guard try expired > 0 || history.expectsGarbage() else { return }
            var options = GarbageOptions()
            options.workShare = Self.workShare
            let report = try history.collectGarbage(options, pause: pacer.pause)
            guard report.bytesFreed > 0 || !report.damaged.isEmpty else { return }
            logger.info(
                "garbage was collected",
                metadata: [
                    "bytes_freed": "\(report.bytesFreed)", "segments_dropped": "\(report.plan.segmentsDropped)",
                    "segments_rewritten": "\(report.plan.segmentsRewritten)", "nodes": "\(report.nodes)",
                ])
            for problem in report.damaged {
                logger.error("a segment was left as it is", metadata: ["error": "\(problem)"])
            }
        } catch let error as CancellationError {
            throw error
        } catch let error as SpileError where error.isTransient {
            logger.info("garbage was not collected this time", metadata: ["error": "\(error)"])
        } catch {
            logger.error("garbage cannot be collected", metadata: ["error": "\(error)"])
        }
    }
}
