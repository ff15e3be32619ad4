import Foundation
import Glibc
import Synchronization
import Testing

/// One request as it came over the connection.
struct S3FakeRequest: Sendable {
    var method: String
    /// As sent: percent-encoded.
    var path: String
    var query: [(name: String, value: String)]
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]

    func asks(_ name: String) -> String? { query.first { $0.name == name }?.value.removingPercentEncoding }
}

struct S3FakeAnswer: Sendable {
    var status: Int
    var headers: [(String, String)] = []
    var body: [UInt8] = []

    static func error(_ status: Int, _ code: String) -> S3FakeAnswer {
        let content = "<Code>\(code)</Code><Message>a &amp; b</Message>"
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\(content)</Error>"
        return S3FakeAnswer(status: status, headers: [("content-type", "application/xml")], body: Array(text.utf8))
    }
}

/// What goes wrong with a request.
enum S3Fault: Sendable, CaseIterable {
    /// 503 SlowDown, nothing done.
    case slowDown
    /// The connection is reset, nothing done.
    case reset
    /// Nothing is done or said until the client goes away.
    case silence
    /// It is done, and the connection reset instead of an answer.
    case lostAnswer
    /// It is done, and the answer's body breaks off halfway.
    case brokenBody
    /// It is done, and the answer claims to be whole with fewer bytes.
    case shortBody
    /// It is done, and the answer names another ETag.
    case wrongETag
    /// 200, and an error in the body; nothing done.
    case lateError
}

/// A server of HTTP/1.1 on a free port of the loopback, with threads of its own. Requests and faults to come are
/// guarded by `state`.
final class S3FakeServer: Sendable {
    typealias Handler = @Sendable (S3FakeRequest) -> S3FakeAnswer

    private struct State {
        var requests: [S3FakeRequest] = []
        var faults: [(fault: S3Fault, left: Int, matches: @Sendable (S3FakeRequest) -> Bool)] = []
        /// What goes wrong by the number of the request, counted since it was planned.
        var planned: [(fault: S3Fault, numbers: Range<Int>)] = []
        var count = 0
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let listener: LoopbackListener
    private let shared = Shared()

    init(_ handler: @escaping Handler) throws {
        listener = try LoopbackListener { [shared] connection in
            var on: Int32 = 1
            setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            // It ends with the client.
            Thread { Self.serve(connection, shared, handler) }.start()
        }
    }

    var port: Int { listener.port }
    var endpoint: String { "http://127.0.0.1:\(port)" }

    var requests: [S3FakeRequest] { shared.state.withLock { $0.requests } }

    func forgetRequests() { shared.state.withLock { $0.requests = [] } }

    /// Lets the next `count` requests that match go wrong.
    func fail(
        _ fault: S3Fault, times count: Int = 1,
        where matches: @escaping @Sendable (S3FakeRequest) -> Bool = { _ in true }
    ) {
        shared.state.withLock { $0.faults.append((fault, count, matches)) }
    }

    /// Lets the requests of these numbers go wrong, counted from now on.
    func plan(_ faults: [(fault: S3Fault, numbers: Range<Int>)]) {
        shared.state.withLock { state in
            state.planned = faults
            state.count = 0
        }
    }

    func forgetFaults() {
        shared.state.withLock { state in
            state.faults = []
            state.planned = []
        }
    }

    /// Requests since the last ``plan(_:)``.
    var count: Int { shared.state.withLock { $0.count } }

    /// Faults that did not happen.
    var pendingFaults: Int { shared.state.withLock { $0.faults.reduce(0) { $0 + $1.left } } }

    private static func fault(_ request: S3FakeRequest, _ shared: Shared) -> S3Fault? {
        shared.state.withLock { state in
            state.requests.append(request)
            state.count += 1
            let number = state.count - 1
            if let planned = state.planned.first(where: { $0.numbers.contains(number) }) { return planned.fault }
            guard let index = state.faults.firstIndex(where: { $0.left > 0 && $0.matches(request) }) else { return nil }
            state.faults[index].left -= 1
            return state.faults[index].fault
        }
    }

    // MARK: Connections

    private static func serve(_ connection: Int32, _ shared: Shared, _ handler: Handler) {
        var reader = S3FakeReader(connection: connection)
        defer { close(connection) }
        while let request = reader.request() {
            switch fault(request, shared) {
            case nil: send(connection, handler(request), of: request)
            case .slowDown: send(connection, .error(503, "SlowDown"), of: request)
            case .lateError: send(connection, .error(200, "InternalError"), of: request)
            case .reset: return resetAtClose(connection)
            case .silence:
                reader.waitForEnd()
                return
            case .lostAnswer:
                _ = handler(request)
                return resetAtClose(connection)
            case .brokenBody:
                let answer = handler(request)
                let bytes = head(answer, answer.body.count) + answer.body.prefix(answer.body.count / 2)
                return sendAll(connection, bytes)
            case .shortBody:
                var answer = handler(request)
                answer.body.removeLast(answer.body.count / 2)
                send(connection, answer, of: request)
            case .wrongETag:
                var answer = handler(request)
                answer.headers = answer.headers.map { $0.0 == "etag" ? ("etag", "\"somebody-elses\"") : $0 }
                send(connection, answer, of: request)
            }
        }
    }

    private static func resetAtClose(_ connection: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private static func head(_ answer: S3FakeAnswer, _ length: Int) -> [UInt8] {
        var text = "HTTP/1.1 \(answer.status) Status\r\n"
        for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
        if !answer.headers.contains(where: { $0.0 == "content-length" }) { text += "content-length: \(length)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    private static func send(_ connection: Int32, _ answer: S3FakeAnswer, of request: S3FakeRequest) {
        let body = request.method == "HEAD" ? [] : answer.body
        sendAll(connection, head(answer, body.count) + body)
    }

    private static func sendAll(_ connection: Int32, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = Glibc.send(connection, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return }
                done += count
            }
        }
    }
}

/// Reads one request after the other from a connection.
struct S3FakeReader {
    let connection: Int32
    private var bytes: [UInt8] = []

    init(connection: Int32) { self.connection = connection }

    private mutating func receive() -> Bool {
        var block = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(connection, &block, block.count, 0)
        guard count > 0 else { return false }
        bytes += block[..<count]
        return true
    }

    mutating func waitForEnd() { while receive() { bytes = [] } }

    /// Nil when the client is gone.
    mutating func request() -> S3FakeRequest? {
        let mark = Data("\r\n\r\n".utf8)
        var end = Data(bytes).range(of: mark)
        while end == nil {
            guard receive() else { return nil }
            end = Data(bytes).range(of: mark)
        }
        guard let end else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...]
            headers[line[..<colon].lowercased()] = value.trimmingCharacters(in: .whitespaces)
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while bytes.count < end.upperBound + length { guard receive() else { return nil } }
        let body = Array(bytes[end.upperBound..<(end.upperBound + length)])
        bytes.removeFirst(end.upperBound + length)
        let target = words[1].split(separator: "?", maxSplits: 1).map(String.init)
        let query = (target.count > 1 ? target[1] : "").split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1).map(String.init)
            return (name: parts[0], value: parts.count > 1 ? parts[1] : "")
        }
        return S3FakeRequest(method: String(words[0]), path: target[0], query: query, headers: headers, body: body)
    }
}
