import Core
import GRPCCore
import GRPCProtobuf

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
        case let error as SpileError: status(error)
        case is CancellationError: RPCError(code: .cancelled, message: "the call was cancelled")
        default: RPCError(code: .unknown, message: "\(error)")
        }
    }

    private static func status(_ error: SpileError) -> RPCError {
        let code = code(error.code)
        let text = error.description
        guard let detail = error.detail, text.utf8.count <= longestDetailed else {
            return RPCError(code: code, message: text)
        }
        return RPCError(GoogleRPCStatus(code: code, message: text, details: [details(detail)]))
    }

    /// Bytes of the longest text that goes out with details: they repeat it, and clients take only so much in trailers.
    private static let longestDetailed = 2000

    private static func details(_ detail: SpileError.Detail) -> ErrorDetails {
        switch detail {
        case .resource(let type, let name, let description):
            .resourceInfo(type: type, name: name, errorDescription: description)
        case .field(let field, let description):
            .badRequest(violations: [.init(field: field, description: String(description.prefix(500)))])
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
