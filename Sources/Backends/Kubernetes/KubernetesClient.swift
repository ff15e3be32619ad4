import AsyncHTTPClient
import Core
import Foundation
import NIOCore
import NIOSSL
import Synchronization

/// Talks to the API server of a cluster, in one namespace. Safe from any task.
///
/// Answers are bounded: an object by ``mostObjectBytes``, a page of a list by ``mostPageBytes``; lists come in pages of
/// ``pageLength``. A server that says when to come again (429, 503 with Retry-After) is obeyed; reading is tried again
/// where the server or the way to it fails. Other errors are the caller's, as `SpileError`: `aborted` for a change that
/// somebody else's has overtaken, `permissionDenied` for a right that is missing, with its name.
package final class KubernetesClient: Sendable {
    /// A connection for each run that is followed, and as many log streams: by HTTP/2 they would share the one
    /// connection's bound of streams, which a server may set as low as 100.
    private static let mostConnections = 4096
    static let mostObjectBytes = 4 << 20
    static let mostPageBytes = 32 << 20
    static let pageLength = 100
    /// Pages of a list; who has more objects of one selector has a fault.
    static let mostPages = 1000
    /// Seconds for an ordinary call, its answer included.
    private static let patience: Int64 = 30
    private static let mostTries = 4

    package let namespace: String
    let server: String
    let time: KubernetesTime
    private let token: KubernetesToken
    private let configuration: HTTPClient.Configuration
    /// Made when it is first needed; guarded by its mutex.
    private let connections = Mutex<(client: HTTPClient?, isClosed: Bool)>((nil, false))

    /// Throws `failedPrecondition` for a certificate or key that cannot be read. Nothing is asked of the server yet.
    /// ``close()`` has to be called at last.
    package init(_ config: KubernetesConfig, time: KubernetesTime) throws(SpileError) {
        var (server, overrides) = (config.server, [String: String]())
        if let name = config.serverName, var parts = URLComponents(string: server), let host = parts.host {
            overrides[name] = host.trimmingCharacters(in: ["[", "]"])
            parts.host = name
            server = parts.string ?? server
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: try KubernetesTLS.configuration(config), redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(connect: .seconds(10)))
        configuration.httpVersion = .http1Only
        configuration.dnsOverride = overrides
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.mostConnections
        configuration.connectionPool.retryConnectionEstablishment = false
        self.server = server
        self.time = time
        namespace = config.namespace
        token = KubernetesToken(config.credential, clock: time.clock)
        self.configuration = configuration
    }

    /// Lets go of the connections; calls under way and later ones fail. May be called again.
    package func close() async {
        let client = connections.withLock { state in
            defer { state = (nil, true) }
            return state.client
        }
        try? await client?.shutdown()
    }

    /// Throws, once this has been closed, as the client itself does.
    private func http() throws -> HTTPClient {
        try connections.withLock { state in
            if state.isClosed { throw HTTPClientError.alreadyShutdown }
            if let client = state.client { return client }
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            state.client = client
            return client
        }
    }

    // MARK: Calls

    /// One object. Throws `notFound`.
    package func get(_ kind: KubernetesKind, _ name: String) async throws -> JSONValue {
        try await ask(Call(act("get", kind, name), .GET, kind.path(in: namespace, name: name)))
    }

    /// Makes an object; gives it as the server keeps it. Throws `alreadyExists`, `invalidArgument`.
    package func create(_ kind: KubernetesKind, _ object: JSONValue) async throws -> JSONValue {
        var call = Call(act("create", kind, object.at("metadata", "name")?.string), .POST, kind.path(in: namespace))
        call.query = Self.strict
        call.body = object
        return try await ask(call)
    }

    /// Replaces an object by one that bears the `resourceVersion` that was read. Throws `aborted` where it has changed
    /// since: read it again.
    package func update(_ kind: KubernetesKind, _ object: JSONValue) async throws -> JSONValue {
        let name = object.at("metadata", "name")?.string ?? ""
        var call = Call(act("update", kind, name), .PUT, kind.path(in: namespace, name: name))
        call.query = Self.strict
        call.body = object
        return try await ask(call)
    }

    /// Changes an object by a JSON merge patch (RFC 7396). A `resourceVersion` in it has to be the object's.
    package func patch(_ kind: KubernetesKind, _ name: String, _ patch: JSONValue) async throws -> JSONValue {
        var call = Call(act("patch", kind, name), .PATCH, kind.path(in: namespace, name: name))
        call.query = Self.strict
        call.body = patch
        call.contentType = "application/merge-patch+json"
        return try await ask(call)
    }

    /// Asks for an object's end. `grace`: seconds for a pod's program, 0 removes the object at once whatever runs; nil
    /// for the object's own. `uid`: only if it is this very one, else `aborted`. What it owns goes after it.
    ///
    /// False where there is none.
    @discardableResult
    package func delete(
        _ kind: KubernetesKind, _ name: String, grace: Int? = nil, uid: String? = nil
    ) async throws -> Bool {
        var call = Call(act("delete", kind, name), .DELETE, kind.path(in: namespace, name: name))
        call.body = .present([
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
            "gracePeriodSeconds": grace.map { .integer($0) },
            "preconditions": uid.map { ["uid": .string($0)] },
        ])
        do {
            _ = try await ask(call)
            return true
        } catch let error as SpileError where error.code == .notFound {
            return false
        }
    }

    private static let strict = [("fieldValidation", "Strict")]

    func act(_ verb: String, _ kind: KubernetesKind, _ name: String? = nil, part: String = "") -> KubernetesAct {
        KubernetesAct(verb: verb, kind: kind, part: part, name: name, namespace: namespace)
    }

    // MARK: The way there

    /// A call and what it is about.
    struct Call: Sendable {
        var act: KubernetesAct
        var method: KubernetesMethod
        var path: String
        var query: [(String, String)] = []
        var body: JSONValue?
        var contentType = "application/json"
        var mostBytes = KubernetesClient.mostObjectBytes

        init(_ act: KubernetesAct, _ method: KubernetesMethod, _ path: String) {
            self.act = act
            self.method = method
            self.path = path
        }
    }

    /// The answer of a call that went well.
    func ask(_ call: Call) async throws -> JSONValue {
        var failures = 0
        while true {
            failures += 1
            let isLast = failures == Self.mostTries
            do {
                let answer = try await once(call)
                if (200..<300).contains(answer.status) { return answer.json ?? .object([]) }
                if answer.status == 401, failures == 1, token.refused(answer.token) { continue }
                guard !isLast, let pause = pause(before: answer, call, failures) else { throw answer.error(call.act) }
                try await time.sleep(pause)
            } catch let error as SpileError where !isLast && call.method == .GET && error.code == .unavailable {
                try await time.sleep(time.pause(after: failures))
            }
        }
    }

    /// Seconds to wait before the same call may be made again; nil where that would not help, or could do it twice.
    private func pause(before answer: Answer, _ call: Call, _ failures: Int) -> Double? {
        guard answer.status == 429 || answer.status >= 500 else { return nil }
        if let wanted = answer.retryAfter { return min(max(wanted, 0), 60) }
        return answer.status == 429 || call.method == .GET ? time.pause(after: failures) : nil
    }

    private struct Answer {
        var status: UInt
        var json: JSONValue?
        var text: String
        var retryAfter: Double?
        var token: String?

        func error(_ act: KubernetesAct) -> SpileError {
            KubernetesFault.error(act, status: status, json, text: text)
        }
    }

    private func once(_ call: Call) async throws -> Answer {
        let token = try token.value()
        let request = request(call, token)
        do {
            let response = try await http().execute(request, timeout: .seconds(Self.patience))
            let body = try await response.body.collect(upTo: call.mostBytes)
            let text = String(decoding: body.readableBytesView, as: UTF8.self)
            return Answer(
                status: response.status.code, json: try? SpecDocument.plainJSON(text), text: text,
                retryAfter: response.headers.first(name: "Retry-After").flatMap(Double.init), token: token)
        } catch {
            throw KubernetesFault.error(call.act, server: server, error)
        }
    }

    /// Begins an answer that goes on, up to `seconds`. Throws what the server said where it is none.
    func stream(_ call: Call, seconds: Double) async throws -> KubernetesStream {
        for isFirst in [true, false] {
            let token = try token.value()
            do {
                let response = try await http().execute(
                    request(call, token), timeout: .milliseconds(Int64(seconds * 1000)))
                if response.status.code == 200 {
                    return KubernetesStream(call.act, server: server, response.body)
                }
                if response.status.code == 401, isFirst, self.token.refused(token) { continue }
                let body = try await response.body.collect(upTo: call.mostBytes)
                let text = String(decoding: body.readableBytesView, as: UTF8.self)
                let answer = Answer(
                    status: response.status.code, json: try? SpecDocument.plainJSON(text), text: text)
                throw answer.status == 410 ? KubernetesGone() as any Error : answer.error(call.act)
            } catch let error as KubernetesGone {
                throw error
            } catch {
                throw KubernetesFault.error(call.act, server: server, error)
            }
        }
        throw SpileError.bug("a call to Kubernetes was neither answered nor refused")
    }

    private func request(_ call: Call, _ token: String?) -> HTTPClientRequest {
        let query = call.query.map { "\($0)=\(Self.escaped($1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: server + call.path + (query.isEmpty ? "" : "?\(query)"))
        request.method = .init(rawValue: call.method.rawValue)
        request.headers.add(name: "User-Agent", value: "spile")
        request.headers.add(name: "Accept", value: "application/json")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body = call.body {
            request.headers.add(name: "Content-Type", value: call.contentType)
            request.body = .bytes(ByteBuffer(string: body.text))
        }
        return request
    }

    private static let plain = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")

    private static func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: plain) ?? ""
    }
}

enum KubernetesMethod: String, Sendable { case GET, POST, PUT, PATCH, DELETE }

/// An answer that comes in pieces. Nothing of it is fetched before it is asked for; letting go of it ends it.
struct KubernetesStream {
    private let act: KubernetesAct
    private let server: String
    private var pieces: HTTPClientResponse.Body.AsyncIterator

    init(_ act: KubernetesAct, server: String, _ body: HTTPClientResponse.Body) {
        self.act = act
        self.server = server
        pieces = body.makeAsyncIterator()
    }

    /// Nil at the end. Throws `unavailable` where the answer breaks off.
    mutating func next() async throws -> ByteBuffer? {
        do { return try await pieces.next() } catch { throw KubernetesFault.error(act, server: server, error) }
    }
}

/// The server no longer knows what happened since the version that was named: list again.
struct KubernetesGone: Error {}
