import Core
import Foundation
import Synchronization
import Testing

@testable import Backends

/// A web server of one answer: what it says to each request is fixed. The requests it got are guarded by a mutex.
private final class CannedServer: Sendable {
    private final class Seen: Sendable {
        let heads = Mutex<[String]>([])
    }

    private let listener: LoopbackListener
    private let seen = Seen()

    /// `answer` gets a request's head and gives the bytes of the answer; the connection is closed after it.
    init(_ answer: @escaping @Sendable (String) -> [UInt8]) throws {
        listener = try LoopbackListener { [seen] connection in
            let head = Self.head(connection)
            seen.heads.withLock { $0.append(head) }
            let bytes = answer(head)
            _ = bytes.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            close(connection)
        }
    }

    var port: Int { listener.port }
    var requests: [String] { seen.heads.withLock { $0 } }

    private static func head(_ connection: Int32) -> String {
        var text = ""
        var block = [UInt8](repeating: 0, count: 4096)
        while !text.contains("\r\n\r\n") {
            let count = recv(connection, &block, block.count, 0)
            guard count > 0 else { break }
            text += String(decoding: block[..<count], as: UTF8.self)
            // Whoever speaks TLS sends no head.
            if !text.hasPrefix("GET ") { break }
        }
        return text
    }
}

/// Files by HTTP, against answers of every kind.
@Suite struct WebURLTests {
    private static func answer(_ status: String, _ headers: String = "", _ body: String = "") -> [UInt8] {
        let head = "HTTP/1.1 \(status)\r\n\(headers)Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        return Array((head + body).utf8)
    }

    private func fetch(_ url: String, trustFile: String? = nil) async throws -> String {
        let fetcher = try URLFetcher(folders: [], trustFile: trustFile)
        var found = Data()
        var pieces = 0
        let result = await Result {
            try await fetcher.fetch(try SourceURL(url), recursive: false) { rest, bytes in
                #expect(rest.isEmpty)
                found.append(contentsOf: bytes)
                pieces += 1
            }
        }
        await fetcher.close()
        try result.get()
        #expect(pieces > 0)
        return String(decoding: found, as: UTF8.self)
    }

    private func failure(_ url: String, trustFile: String? = nil) async throws -> SpileError {
        try #require(await #expect(throws: SpileError.self) { _ = try await fetch(url, trustFile: trustFile) })
    }

    @Test func `the body is what comes, be it empty`() async throws {
        let server = try CannedServer { Self.answer("200 OK", "", $0.hasPrefix("GET /full") ? "content" : "") }
        #expect(try await fetch("http://127.0.0.1:\(server.port)/full?a=b") == "content")
        #expect(try await fetch("http://127.0.0.1:\(server.port)/empty") == "")
        #expect(server.requests[0].hasPrefix("GET /full?a=b HTTP/1.1"))
    }

    @Test func `a user and a password in the URL are sent as such`() async throws {
        let server = try CannedServer { _ in Self.answer("200 OK", "", "x") }
        #expect(try await fetch("http://me:s%3Acret@127.0.0.1:\(server.port)/") == "x")
        let word = Data("me:s:cret".utf8).base64EncodedString()
        #expect(server.requests[0].lowercased().contains("authorization: basic \(word.lowercased())"))
    }

    @Test func `redirects are followed, but not in a circle`() async throws {
        let server = try CannedServer { head in
            if head.hasPrefix("GET /new") { return Self.answer("200 OK", "", "new") }
            return Self.answer("302 Found", "Location: /new\r\n")
        }
        #expect(try await fetch("http://127.0.0.1:\(server.port)/old") == "new")
        let circle = try CannedServer { head in
            Self.answer("302 Found", "Location: \(head.hasPrefix("GET /a") ? "/b" : "/a")\r\n")
        }
        let error = try await failure("http://127.0.0.1:\(circle.port)/a")
        #expect(error.message.contains("circle"), "\(error)")
    }

    @Test func `a redirect leads to no other kind of URL`() async throws {
        let server = try CannedServer { _ in Self.answer("302 Found", "Location: http+unix://%2Ftmp%2Fx/y\r\n") }
        // It is not followed: what is taken is the answer itself.
        #expect(try await fetch("http://127.0.0.1:\(server.port)/") == "")
        #expect(server.requests.count == 1)
    }

    @Test(arguments: ["404 Not Found", "500 Internal Server Error", "403 Forbidden"])
    func `an answer that is an error is one, with its words`(status: String) async throws {
        let server = try CannedServer { _ in Self.answer(status, "", "page about the error") }
        let url = "http://me:secret@127.0.0.1:\(server.port)/x"
        let error = try await failure(url)
        #expect(error.code == .unknown)
        #expect(
            error.message == "error retrieving content from \"http://…@127.0.0.1:\(server.port)/x\": \(status)")
    }

    @Test func `a body that breaks off is an error, not a shorter file`() async throws {
        let server = try CannedServer { _ in
            Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".utf8)
        }
        let error = try await failure("http://127.0.0.1:\(server.port)/")
        #expect(error.code == .unavailable, "\(error)")
        #expect(error.message.contains("error retrieving content from"))
    }

    @Test func `nobody there, no host and no TLS are told apart`() async throws {
        let gone = try CannedServer { _ in [] }.port
        let refused = try await failure("http://127.0.0.1:\(gone)/")
        #expect(refused.code == .unavailable)
        #expect(refused.message.hasSuffix(": cannot connect: Connection refused"), "\(refused)")
        #expect(try await failure("http:///x").code == .invalidArgument)
        let plain = try CannedServer { _ in Self.answer("200 OK", "", "x") }
        let noTLS = try await failure("https://127.0.0.1:\(plain.port)/")
        #expect(noTLS.code == .failedPrecondition, "\(noTLS)")
        #expect(noTLS.remedy.contains("SSL_CERT_FILE"))
    }
}
