import Core
import GRPCCore

/// The metadata every call of a command carries (`contract/cli.md` §2.2).
struct CallHeaders: ClientInterceptor {
    var token = ""
    /// Sent together with `prefix: user`; empty to send neither.
    var userID = ""
    var transaction = ""
    var command = ""

    /// An argument line as a header value: at most 1 KiB of printable ASCII, everything else percent-encoded.
    static func commandText(_ arguments: [String]) -> String {
        PercentCoding.encoded(arguments.joined(separator: " ").utf8.prefix(1024)) {
            (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "%")
        }
    }

    var metadata: Metadata {
        var metadata: Metadata = [:]
        if !token.isEmpty { metadata.addString(token, forKey: "authn-token") }
        if !userID.isEmpty {
            metadata.addString(userID, forKey: "userid")
            metadata.addString("user", forKey: "prefix")
        }
        if !command.isEmpty { metadata.addString(command, forKey: "command") }
        if !transaction.isEmpty { metadata.addString(transaction, forKey: "pach-transaction") }
        return metadata
    }

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingClientRequest<Input>,
        context: ClientContext,
        next: (StreamingClientRequest<Input>, ClientContext) async throws -> StreamingClientResponse<Output>
    ) async throws -> StreamingClientResponse<Output> {
        var request = request
        let produce = request.producer
        // A request is only asked for once there is a connection to send it on.
        request.producer = { writer in
            Watchdog.connected()
            try await produce(writer)
        }
        if context.descriptor.method == "GetVersion" { return try await next(request, context) }
        request.metadata.add(contentsOf: metadata)
        return try await next(request, context)
    }
}
