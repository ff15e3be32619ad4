import Core
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import SwiftProtobuf
import Versioning

/// What a handler knows of a call besides its messages.
struct Call: Sendable {
    var principal: Principal
    let metadata: Metadata
    /// What the headers of a write ask for; empty for every other call.
    let terms: WriteTerms
    /// Why nobody is known to call, for calls that are open to all.
    var whyStranger: SpileError?
    /// Whether the caller has gone. Also true for every call once the server shuts down.
    var isAbandoned: @Sendable () -> Bool = { false }
    /// Throws where the call, made now, would not be let in as the same caller. For client streams, before the change
    /// is made: the token may have been revoked since the stream was opened, or authentication turned on or off.
    var confirm: @Sendable () throws -> Void = {}
    /// The address by which the caller reached the server, as the transport writes it; empty where nobody asked for it.
    var localPeer = ""
}

/// An answer with headers of its own.
struct Reply<Output: Message>: Sendable {
    var message: Output
    var headers: Metadata = [:]
}

/// Collects handlers by method. Every method of the contract that gets none answers UNIMPLEMENTED and says so.
///
/// Who calls is found out when the request message is there, which may be long after the headers: what was taken away
/// in between counts.
struct Routes {
    typealias Transport = HTTP2ServerTransport.Posix

    private(set) var router = RPCRouter<Transport>()
    private let callers: Callers
    private let calls: CallMetrics

    init(callers: Callers, calls: CallMetrics) {
        self.callers = callers
        self.calls = calls
    }

    mutating func unary<Input: Message, Output: Message>(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (Input, Call) async throws -> Output
    ) {
        unaryReply(method) { (message: Input, call) in Reply(message: try await handler(message, call)) }
    }

    mutating func unaryReply<Input: Message, Output: Message>(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (Input, Call) async throws -> Reply<Output>
    ) {
        let (callers, rule) = (callers, Self.rule(of: method))
        registerMeasured(method) { (request: StreamingServerRequest<Input>, _) in
            let message: Input = try await Self.single(request.messages, method)
            let call = try callers.call(request.metadata, for: method, under: rule)
            try call.checkReader(of: message, callers.history)
            let answer = try await callers.noting(call, method) { try await handler(message, call) }
            return StreamingServerResponse(
                single: ServerResponse(message: answer.message, metadata: answer.headers))
        }
    }

    /// A unary method that changes nothing and may wait: it ends when its caller goes away.
    mutating func wait<Input: Message, Output: Message>(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (Input, Call) async throws -> Output
    ) {
        let (callers, rule) = (callers, Self.rule(of: method))
        registerMeasured(method) { (request: StreamingServerRequest<Input>, context) in
            let message = try await Self.single(request.messages, method)
            let call = try callers.call(request.metadata, for: method, under: rule)
            try call.checkReader(of: message, callers.history)
            let answer = try await Self.endingWithCaller(context) { try await handler(message, call) }
            return StreamingServerResponse(single: ServerResponse(message: answer))
        }
    }

    mutating func serverStream<Input: Message, Output: Message>(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (Input, Call, RPCWriter<Output>) async throws -> Void
    ) {
        let (callers, rule) = (callers, Self.rule(of: method))
        let metrics = calls.add(method)
        register(method) { (request: StreamingServerRequest<Input>, context) in
            let span = metrics.begin()
            return try await span.preparing {
                try await rpc {
                    let message = try await Self.single(request.messages, method)
                    var open = try callers.call(request.metadata, for: method, under: rule)
                    open.localPeer = context.localPeer
                    let call = open
                    try call.checkReader(of: message, callers.history)
                    return StreamingServerResponse { writer in
                        try await span.ending {
                            try await rpc {
                                try await Self.endingWithCaller(context) { try await handler(message, call, writer) }
                            }
                        }
                        return [:]
                    }
                }
            }
        }
    }

    /// Cancels `body` when the caller goes away or the server begins to shut down. For reads only: a write that has all
    /// it needs is carried out.
    private static func endingWithCaller<Result: Sendable>(
        _ context: ServerContext, _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body() }
            group.addTask {
                try await context.cancellation.cancelled
                return nil
            }
            guard case .some(.some(let result)) = try await group.next() else {
                // A caller who went away reads no answer; one who is still there may come again, here or elsewhere.
                throw SpileError(.unavailable, "the server is shutting down", remedy: "try again")
            }
            return result
        }
    }

    mutating func clientStream<Input: Message, Output: Message>(
        _ method: MethodDescriptor,
        _ handler: @escaping @Sendable (RPCAsyncSequence<Input, any Error>, Call) async throws -> Output
    ) {
        clientStreamReply(method) { (messages: RPCAsyncSequence<Input, any Error>, call) in
            Reply(message: try await handler(messages, call))
        }
    }

    mutating func clientStreamReply<Input: Message, Output: Message>(
        _ method: MethodDescriptor,
        _ handler: @escaping @Sendable (RPCAsyncSequence<Input, any Error>, Call) async throws -> Reply<Output>
    ) {
        let (callers, rule) = (callers, Self.rule(of: method))
        registerMeasured(method) { (request: StreamingServerRequest<Input>, context) in
            var open = try callers.call(request.metadata, for: method, under: rule)
            open.isAbandoned = { context.cancellation.isCancelled }
            open.confirm = { [known = open.principal] in
                try callers.confirm(known, request.metadata, for: method, under: rule)
            }
            let call = open
            let answer = try await callers.noting(call, method) { try await handler(request.messages, call) }
            return StreamingServerResponse(
                single: ServerResponse(message: answer.message, metadata: answer.headers))
        }
    }

    /// A method that changes nothing and is asked again and again; it ends when its caller goes away.
    mutating func bidirectional<Input: Message, Output: Message>(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable (RPCAsyncSequence<Input, any Error>, Call, RPCWriter<Output>) async throws -> Void
    ) {
        let (callers, rule) = (callers, Self.rule(of: method))
        let metrics = calls.add(method)
        register(method) { (request: StreamingServerRequest<Input>, context) in
            let span = metrics.begin()
            return try await span.preparing {
                try await rpc {
                    var open = try callers.call(request.metadata, for: method, under: rule)
                    open.confirm = { [known = open.principal] in
                        try callers.confirm(known, request.metadata, for: method, under: rule)
                    }
                    let call = open
                    return StreamingServerResponse { writer in
                        try await span.ending {
                            try await rpc {
                                try await Self.endingWithCaller(context) {
                                    try await handler(request.messages, call, writer)
                                }
                            }
                        }
                        return [:]
                    }
                }
            }
        }
    }

    /// Gives every method of `methods` that has no handler one that says what is missing.
    mutating func refuse(_ methods: [MethodDescriptor], _ text: @escaping @Sendable (MethodDescriptor) -> String) {
        for method in methods where !router.hasHandler(forMethod: method) {
            let metrics = calls.add(method)
            let (callers, rule) = (callers, Self.rule(of: method))
            router.registerHandler(
                forMethod: method, deserializer: IgnoringDeserializer(), serializer: EmptySerializer()
            ) { request, _ in
                try await metrics.begin().ending {
                    _ = try await rpc { try callers.call(request.metadata, for: method, under: rule) }
                    throw RPCError(code: .unimplemented, message: text(method))
                }
            }
        }
    }

    private static func rule(of method: MethodDescriptor) -> CallRule? {
        CallRules.all["\(method.service.fullyQualifiedService)/\(method.method)"]
    }

    /// For methods whose handler does all there is to do before it answers.
    private mutating func registerMeasured<Input: Message, Output: Message>(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) {
        let metrics = calls.add(method)
        register(method) { (request: StreamingServerRequest<Input>, context) in
            try await metrics.begin().ending { try await rpc { try await handler(request, context) } }
        }
    }

    private mutating func register<Input: Message, Output: Message>(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) {
        router.registerHandler(
            forMethod: method, deserializer: ProtobufDeserializer<Input>(), serializer: ProtobufSerializer<Output>()
        ) { request, context in try await handler(request, context) }
    }

    private static func single<Input: Sendable>(
        _ messages: RPCAsyncSequence<Input, any Error>, _ method: MethodDescriptor
    ) async throws -> Input {
        for try await message in messages { return message }
        throw RPCError(code: .invalidArgument, message: "\(method.method) got no request message")
    }
}

/// Takes any message and keeps nothing of it.
private struct IgnoringDeserializer: MessageDeserializer {
    func deserialize(_ serializedMessageBytes: some GRPCContiguousBytes) throws {}
}

private struct EmptySerializer: MessageSerializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: Void) throws -> Bytes { Bytes(repeating: 0, count: 0) }
}
