import API
import Core
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import SwiftProtobuf

/// Ports at which batching code asks for its datums: the contract's worker service, plain and without authentication,
/// on free ports of loopback (`pps.md` §17).
struct LoopbackDatumPorts: DatumPorts {
    func open(_ desk: any DatumDesk) async throws -> any DatumPort {
        let transport = Routes.Transport.serving(.ipv4(host: "127.0.0.1", port: 0), .plaintext)
        let server = GRPCServer(transport: transport, services: [DatumDeskService(desk: desk)])
        let serving = Task { try await server.serve() }
        guard let (_, port) = await transport.reachable() else {
            serving.cancel()
            throw SpileError(
                .unavailable, "there is no port of 127.0.0.1 at which batching code could ask for its datums",
                cause: await serving.result.failure)
        }
        return LoopbackDatumPort(number: port, server: server, serving: serving)
    }
}

private struct LoopbackDatumPort: DatumPort {
    let number: Int
    let server: GRPCServer<Routes.Transport>
    let serving: Task<Void, any Error>

    func close() async {
        server.beginGracefulShutdown()
        // Who waits for a datum there waits in vain.
        serving.cancel()
        _ = await serving.result
    }
}

extension Result {
    fileprivate var failure: Failure? { if case .failure(let error) = self { error } else { nil } }
}

/// The worker service of one run of code.
private struct DatumDeskService: Pachyderm_Worker_Worker.SimpleServiceProtocol {
    let desk: any DatumDesk

    func nextDatum(
        request: Pachyderm_Worker_NextDatumRequest, context: ServerContext
    ) async throws -> Pachyderm_Worker_NextDatumResponse {
        try await rpc {
            let (desk, error) = (desk, request.error)
            let task = Task { try await desk.next(error: error) }
            let variables = try await withTaskCancellationHandler {
                try await withRPCCancellationHandler {
                    try await task.value
                } onCancelRPC: {
                    task.cancel()
                }
            } onCancel: {
                task.cancel()
            }
            return .with { $0.env = variables }
        }
    }

    func status(
        request: Google_Protobuf_Empty, context: ServerContext
    ) async throws -> PpsV2_WorkerStatus {
        let status = try await rpc { try await desk.status() }
        return .with {
            $0.workerID = status.worker
            $0.jobID = "\(status.job.id)"
            guard let (started, files) = status.datum else { return }
            $0.datumStatus.started = started.message
            $0.datumStatus.data = files.map { file in
                .with {
                    $0.path = file.path
                    $0.hash = Data(file.digest.bytes)
                }
            }
        }
    }

    func cancel(
        request: Pachyderm_Worker_CancelRequest, context: ServerContext
    ) async throws -> Pachyderm_Worker_CancelResponse {
        let success = try await rpc {
            try await desk.cancel(job: request.jobID, filters: request.dataFilters)
        }
        return .with { $0.success = success }
    }
}
