import AsyncHTTPClient
import Core
import Crypto
import Foundation
import NIOCore

/// A bucket of an S3 store, over HTTP. Each call is one request, made once: ``S3Retrying`` makes more of them.
///
/// Safe from any thread; a call blocks its thread until the answer is there. A body counts as sent when the store has
/// checked it against the SHA-256 that is signed with it.
package final class S3Client: S3Service {
    let bucket: S3Bucket
    private let signer: S3Signer
    private let transport: S3Transport
    private let clock: any Clock

    package init(
        bucket: S3Bucket, credentials: S3Credentials, options: S3TransportOptions = S3TransportOptions(),
        clock: any Clock
    ) {
        self.bucket = bucket
        self.clock = clock
        signer = S3Signer(credentials: credentials, region: bucket.region)
        transport = S3Transport(options)
    }

    /// Where an object's writer leaves its word.
    static let tokenHeader = "x-amz-meta-spile-write"
    /// Bytes of an answer that is no object: a list of a thousand long keys is less.
    private static let mostAnswer = 8 << 20

    package func address(of key: String) -> String { "\(bucket)/\(key)" }

    // MARK: Requests

    /// An answer with a status below 300; else throws what the store said, in terms of `action`.
    func send(
        _ request: S3Request, to action: String, condition: S3Terms.Condition = .none, most: Int = mostAnswer
    ) throws -> HTTPClient.Response {
        let path = bucket.path(request.key)
        let query = S3Coding.query(request.query)
        let headers = signer.headers(for: request, host: bucket.host, path: path, query: query, at: clock.now())
        let response: HTTPClient.Response
        do {
            // An error's body has to fit too.
            response = try transport.execute(
                request.method, bucket.url(path, query: query), headers, request.body, most: max(most, 64 << 10))
        } catch {
            throw S3Failure.error(action, host: bucket.host, error)
        }
        guard response.status.code < 300 else {
            let status = Int(response.status.code)
            throw S3Failure(action: action, condition: condition, status: status, body: response.body).error
        }
        return response
    }

    /// The XML of an answer whose outermost element has that name. An error may come with a status that says yes.
    func document(_ response: HTTPClient.Response, _ name: String, of action: String) throws -> S3XML.Element {
        let body = response.body ?? ByteBuffer()
        let root: S3XML.Element
        do { root = try S3XML.parse(body.readableBytesView) } catch {
            throw SpileError(.unavailable, "cannot \(action): the answer is no XML that can be read", cause: error)
        }
        if root.name == name { return root }
        throw S3Failure(action: action, status: Int(response.status.code), body: body).error
    }

    func header(_ name: String, of response: HTTPClient.Response, _ action: String) throws -> String {
        if let value = response.headers.first(name: name), !value.isEmpty { return value }
        throw SpileError(.unavailable, "cannot \(action): the answer has no \(name)")
    }

    static func add(_ terms: S3Terms, to request: inout S3Request) {
        if let token = terms.token { request.set(tokenHeader, token) }
        add(terms.condition, to: &request)
    }

    static func add(_ condition: S3Terms.Condition, to request: inout S3Request) {
        switch condition {
        case .none: break
        case .absent: request.set("if-none-match", "*")
        case .matches(let etag): request.set("if-match", etag)
        }
    }

    // MARK: Objects

    package func put(_ key: String, _ body: ByteBuffer, _ terms: S3Terms) throws -> String {
        let action = "write \(address(of: key))"
        var request = S3Request(method: "PUT", key: key, body: body)
        Self.add(terms, to: &request)
        return try header("etag", of: try send(request, to: action, condition: terms.condition), action)
    }

    package func get(_ key: String, _ range: Range<Int>, etag: String?) throws -> ByteBuffer {
        let action = "read \(address(of: key))"
        guard !range.isEmpty else { return ByteBuffer() }
        var request = S3Request(method: "GET", key: key)
        request.set("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
        if let etag { request.set("if-match", etag) }
        let response = try send(request, to: action, condition: etag.map { .matches($0) } ?? .none, most: range.count)
        // A store that does not know the condition would give what is there now.
        if let etag, try header("etag", of: response, action) != etag {
            throw SpileError(.aborted, "cannot \(action): another object is there now")
        }
        let body = response.body ?? ByteBuffer()
        guard response.status == .partialContent, body.readableBytes == range.count else {
            throw SpileError(
                .unavailable,
                "cannot \(action): \(body.readableBytes) bytes came instead of \(range.count) from \(range.lowerBound)")
        }
        let place = try header("content-range", of: response, action)
        guard place.hasPrefix("bytes \(range.lowerBound)-\(range.upperBound - 1)/") else {
            throw SpileError(.unavailable, "cannot \(action): \"\(place)\" came instead of \(range)")
        }
        return body
    }

    package func head(_ key: String) throws -> S3Head {
        let action = "look at \(address(of: key))"
        let response = try send(S3Request(method: "HEAD", key: key), to: action)
        guard let size = Int(try header("content-length", of: response, action)), size >= 0 else {
            throw SpileError(.unavailable, "cannot \(action): its size is no number")
        }
        return S3Head(
            size: size, etag: try header("etag", of: response, action),
            token: response.headers.first(name: Self.tokenHeader))
    }

    package func remove(_ keys: [String]) throws {
        if keys.count > 1 {
            do { return try removeTogether(keys) } catch let error as SpileError where error.code == .unimplemented {}
        }
        for key in keys {
            do {
                _ = try send(S3Request(method: "DELETE", key: key), to: "remove \(address(of: key))")
            } catch let error as SpileError where error.code == .notFound {}
        }
    }

    private func removeTogether(_ keys: [String]) throws {
        let action = "remove \(keys.count) objects of \(bucket)"
        var text = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
        for key in keys { text += "<Object><Key>\(S3XML.escaped(key))</Key></Object>" }
        text += "</Delete>"
        var request = S3Request(method: "POST", key: "", body: ByteBuffer(string: text))
        request.ask("delete")
        // Stores want this one, whatever else protects the body.
        request.set("content-md5", Data(Insecure.MD5.hash(data: Data(text.utf8))).base64EncodedString())
        let root = try document(try send(request, to: action), "DeleteResult", of: action)
        for failed in root.all("Error") where failed["Code"] != "NoSuchKey" {
            let what = "\(failed["Key"] ?? ""): \(failed["Code"] ?? "") \(failed["Message"] ?? "")"
            let isDenied = failed["Code"] == "AccessDenied"
            throw SpileError(isDenied ? .permissionDenied : .unavailable, "cannot \(action): \(what)")
        }
    }

    package func list(prefix: String, next: String?) throws -> S3Page {
        let action = "list \(address(of: prefix))"
        var request = S3Request(method: "GET", key: "")
        request.ask("list-type", "2")
        request.ask("prefix", prefix)
        // Keys of others may hold what XML cannot.
        request.ask("encoding-type", "url")
        if let next { request.ask("continuation-token", next) }
        let root = try document(try send(request, to: action), "ListBucketResult", of: action)
        let isEncoded = root["EncodingType"] == "url"
        let items = try root.all("Contents").map { entry in
            guard let key = entry["Key"].flatMap({ Self.key($0, isEncoded) }),
                let size = entry["Size"].flatMap({ Int($0) })
            else { throw SpileError(.unavailable, "cannot \(action): an entry has no key or no size") }
            return S3Item(key: key, size: size)
        }
        guard root["IsTruncated"] == "true" else { return S3Page(items: items, next: nil) }
        guard let token = root["NextContinuationToken"], !token.isEmpty else {
            throw SpileError(.unavailable, "cannot \(action): there is more, but no way to ask for it")
        }
        return S3Page(items: items, next: token)
    }

    private static func key(_ text: String, _ isEncoded: Bool) -> String? {
        guard isEncoded else { return text }
        // As in forms, where a space is a plus.
        let spaced = text.replacingOccurrences(of: "+", with: " ")
        return PercentCoding.decoded(spaced).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
