import Core
import GRPCCore

/// The one place where our errors become gRPC statuses.
enum ErrorMapping {
    static func code(_ code: SpileError.Code) -> RPCError.Code {
        switch code {
        case .invalidArgument: .invalidArgument
        case .notFound: .notFound
        case .alreadyExists: .alreadyExists
        case .failedPrecondition: .failedPrecondition
        case .aborted: .aborted
        case .unauthenticated: .unauthenticated
        case .permissionDenied: .permissionDenied
        case .resourceExhausted: .resourceExhausted
        case .unavailable: .unavailable
        case .unimplemented: .unimplemented
        case .dataLoss: .dataLoss
        case .cancelled: .cancelled
        case .unknown: .unknown
        case .internal: .internalError
        }
    }

    static func status(_ error: any Error) -> RPCError {
        switch error {
        case let error as RPCError: error
        case let error as SpileError: RPCError(code: code(error.code), message: error.description)
        case is CancellationError: RPCError(code: .cancelled, message: "the call was cancelled")
        default: RPCError(code: .unknown, message: "\(error)")
        }
    }
}

/// Runs the body of a call and turns what it throws into a gRPC status.
func rpc<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch {
        throw ErrorMapping.status(error)
    }
}
