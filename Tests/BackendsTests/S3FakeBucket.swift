import Backends
import Core
import Crypto
import Foundation
import NIOCore
import Simulation
import Synchronization

/// A bucket in memory behind a real connection, stricter than the stores there are: signatures, hashes of bodies and
/// times are checked, pages of lists are small, keys come encoded, and what S3 does not define is refused. All state is
/// guarded by `state`.
final class S3FakeBucket: Sendable {
    struct Object: Sendable {
        var bytes: [UInt8]
        var etag: String
        var token: String?
    }

    private struct Upload {
        var key: String
        var token: String?
        var parts: [Int: [UInt8]] = [:]
    }

    private struct State {
        var objects: [String: Object] = [:]
        var uploads: [String: Upload] = [:]
        var counter = 0
    }

    static let name = "bucket"
    static let credentials = S3Credentials(accessKey: "KEY", secretKey: "not/a+secret", sessionToken: "lent")

    let clock = ManualClock()
    /// Entries of a page.
    let pageSize: Int
    /// Bytes of each part but the last.
    let leastPart: Int
    /// Whether it takes conditions in a put, and removals of many keys.
    let isLacking: Bool
    /// Whether it passes over conditions.
    let isCareless: Bool
    private let state = Mutex(State())

    init(pageSize: Int = 3, leastPart: Int = 64 << 10, isLacking: Bool = false, isCareless: Bool = false) {
        self.isCareless = isCareless
        self.pageSize = pageSize
        self.leastPart = leastPart
        self.isLacking = isLacking
    }

    /// Of all objects but the one that each start of a store leaves.
    var keys: [String] { state.withLock { $0.objects.keys.filter { !$0.hasSuffix("/probe/conditions") }.sorted() } }
    var uploads: Int { state.withLock { $0.uploads.count } }
    subscript(_ key: String) -> Object? { state.withLock { $0.objects[key] } }

    /// Lays an object there, past all checks.
    func set(_ key: String, _ bytes: [UInt8]) {
        state.withLock { $0.objects[key] = Object(bytes: bytes, etag: Self.etag(bytes), token: nil) }
    }

    // MARK: Answers

    func answer(_ request: S3FakeRequest) -> S3FakeAnswer {
        if let refusal = S3FakeSignature(credentials: Self.keys, now: clock.now()).problem(of: request) {
            return .error(403, refusal)
        }
        guard let path = request.path.removingPercentEncoding else { return .error(400, "InvalidURI") }
        let parts = path.dropFirst().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count > 0, parts[0] == Self.name else { return .error(404, "NoSuchBucket") }
        let key = parts.count > 1 ? String(parts[1]) : ""
        if key.isEmpty { return onBucket(request) }
        guard key.utf8.count <= 1024 else { return .error(400, "KeyTooLongError") }
        switch request.method {
        case "PUT" where request.asks("uploadId") != nil: return putPart(request, key)
        case "PUT": return put(request, key)
        case "GET", "HEAD": return get(request, key)
        case "DELETE": return delete(request, key)
        case "POST" where request.asks("uploads") != nil: return begin(request, key)
        case "POST" where request.asks("uploadId") != nil: return complete(request, key)
        default: return .error(405, "MethodNotAllowed")
        }
    }

    private static let keys = S3FakeSignature.Keys(accessKey: "KEY", secretKey: "not/a+secret", token: "lent")

    private static func etag(_ bytes: [UInt8]) -> String {
        "\"\(Insecure.MD5.hash(data: bytes).map { String(format: "%02x", $0) }.joined())\""
    }

    /// Nil if the condition of a write holds.
    private func refusal(_ request: S3FakeRequest, _ present: Object?) -> S3FakeAnswer? {
        let (absent, matches) = (request.headers["if-none-match"], request.headers["if-match"])
        if isCareless { return nil }
        if absent != nil || matches != nil, isLacking { return .error(501, "NotImplemented") }
        if let absent {
            if absent != "*" { return .error(501, "NotImplemented") }
            if present != nil { return .error(412, "PreconditionFailed") }
        }
        if let matches {
            guard let present else { return .error(404, "NoSuchKey") }
            if present.etag != matches { return .error(412, "PreconditionFailed") }
        }
        return nil
    }

    private func put(_ request: S3FakeRequest, _ key: String) -> S3FakeAnswer {
        state.withLock { state in
            if let refusal = refusal(request, state.objects[key]) { return refusal }
            let token = request.headers["x-amz-meta-spile-write"]
            let object = Object(bytes: request.body, etag: Self.etag(request.body), token: token)
            state.objects[key] = object
            return S3FakeAnswer(status: 200, headers: [("etag", object.etag)])
        }
    }

    private func get(_ request: S3FakeRequest, _ key: String) -> S3FakeAnswer {
        guard let object = self[key] else { return .error(404, "NoSuchKey") }
        if let etag = request.headers["if-match"], etag != object.etag { return .error(412, "PreconditionFailed") }
        var headers = [("etag", object.etag)]
        if let token = object.token { headers.append(("x-amz-meta-spile-write", token)) }
        if request.method == "HEAD" {
            return S3FakeAnswer(status: 200, headers: headers + [("content-length", "\(object.bytes.count)")])
        }
        guard let text = request.headers["range"] else {
            return S3FakeAnswer(status: 200, headers: headers, body: object.bytes)
        }
        let bounds = text.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
        guard bounds.count == 2, bounds[0] <= bounds[1], bounds[0] < object.bytes.count else {
            return .error(416, "InvalidRange")
        }
        let last = min(bounds[1], object.bytes.count - 1)
        headers.append(("content-range", "bytes \(bounds[0])-\(last)/\(object.bytes.count)"))
        return S3FakeAnswer(status: 206, headers: headers, body: Array(object.bytes[bounds[0]...last]))
    }

    private func delete(_ request: S3FakeRequest, _ key: String) -> S3FakeAnswer {
        state.withLock { state in
            if let id = request.asks("uploadId") {
                guard state.uploads.removeValue(forKey: id) != nil else { return .error(404, "NoSuchUpload") }
            } else {
                state.objects[key] = nil
            }
            return S3FakeAnswer(status: 204)
        }
    }

    // MARK: Uploads in parts

    private func begin(_ request: S3FakeRequest, _ key: String) -> S3FakeAnswer {
        let id = state.withLock { state in
            state.counter += 1
            let id = "upload/\(state.counter)+&"
            state.uploads[id] = Upload(key: key, token: request.headers["x-amz-meta-spile-write"])
            return id
        }
        return document("InitiateMultipartUploadResult", "<UploadId>\(S3FakeBucket.escaped(id))</UploadId>")
    }

    private func putPart(_ request: S3FakeRequest, _ key: String) -> S3FakeAnswer {
        guard let number = request.asks("partNumber").flatMap({ Int($0) }), (1...10_000).contains(number) else {
            return .error(400, "InvalidArgument")
        }
        return state.withLock { state in
            let id = request.asks("uploadId") ?? ""
            guard state.uploads[id]?.key == key else { return .error(404, "NoSuchUpload") }
            state.uploads[id]?.parts[number] = request.body
            return S3FakeAnswer(status: 200, headers: [("etag", Self.etag(request.body))])
        }
    }

    private func complete(_ request: S3FakeRequest, _ key: String) -> S3FakeAnswer {
        let text = String(decoding: request.body, as: UTF8.self).replacingOccurrences(of: "&quot;", with: "\"")
        let numbers = Self.all("PartNumber", in: text).compactMap { Int($0) }
        let etags = Self.all("ETag", in: text)
        return state.withLock { state in
            let id = request.asks("uploadId") ?? ""
            guard let upload = state.uploads[id], upload.key == key else { return .error(404, "NoSuchUpload") }
            if let refusal = refusal(request, state.objects[key]) { return refusal }
            var bytes: [UInt8] = []
            guard !numbers.isEmpty, numbers.count == etags.count, numbers == numbers.sorted() else {
                return .error(400, "InvalidPartOrder")
            }
            for (number, etag) in zip(numbers, etags) {
                guard let part = upload.parts[number], Self.etag(part) == etag else {
                    return .error(400, "InvalidPart")
                }
                guard part.count >= leastPart || number == numbers.last else { return .error(400, "EntityTooSmall") }
                bytes += part
            }
            let etag = String(Self.etag(bytes).dropLast()) + "-\(numbers.count)\""
            state.objects[key] = Object(bytes: bytes, etag: etag, token: upload.token)
            state.uploads[id] = nil
            return document("CompleteMultipartUploadResult", "<ETag>\(etag)</ETag>")
        }
    }

    private static func all(_ name: String, in text: String) -> [String] {
        text.components(separatedBy: "<\(name)>").dropFirst().map { $0.components(separatedBy: "</\(name)>")[0] }
    }

    // MARK: The bucket itself

    private func onBucket(_ request: S3FakeRequest) -> S3FakeAnswer {
        if request.method == "POST", request.asks("delete") != nil { return deleteMany(request) }
        guard request.method == "GET" else { return .error(405, "MethodNotAllowed") }
        return request.asks("uploads") != nil ? listUploads(request) : list(request)
    }

    private func deleteMany(_ request: S3FakeRequest) -> S3FakeAnswer {
        let hash = Data(Insecure.MD5.hash(data: request.body)).base64EncodedString()
        guard request.headers["content-md5"] == hash else { return .error(400, "BadDigest") }
        if isLacking { return .error(501, "NotImplemented") }
        let keys = Self.all("Key", in: String(decoding: request.body, as: UTF8.self))
        guard (1...1000).contains(keys.count) else { return .error(400, "MalformedXML") }
        state.withLock { state in
            for key in keys { state.objects[key.replacingOccurrences(of: "&amp;", with: "&")] = nil }
        }
        return document("DeleteResult", "")
    }

    private func list(_ request: S3FakeRequest) -> S3FakeAnswer {
        guard request.asks("list-type") == "2", request.asks("encoding-type") == "url" else {
            return .error(400, "InvalidArgument")
        }
        let prefix = request.asks("prefix") ?? ""
        let from = request.asks("continuation-token").map { String($0.dropFirst("after ".count)) }
        let all = state.withLock { state in
            state.objects.filter { $0.key.hasPrefix(prefix) && (from.map($0.key.comes(after:)) ?? true) }
                .sorted { $1.key.comes(after: $0.key) }
        }
        let page = all.prefix(pageSize)
        var text = "<EncodingType>url</EncodingType><IsTruncated>\(all.count > page.count)</IsTruncated>"
        if all.count > page.count, let last = page.last {
            text += "<NextContinuationToken>after \(Self.escaped(last.key))</NextContinuationToken>"
        }
        for (key, object) in page {
            let encoded = key.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            text += "<Contents><Key>\(encoded.replacingOccurrences(of: "%20", with: "+"))</Key>"
            text += "<ETag>\(object.etag)</ETag><Size>\(object.bytes.count)</Size></Contents>"
        }
        return document("ListBucketResult", text)
    }

    private func listUploads(_ request: S3FakeRequest) -> S3FakeAnswer {
        if isLacking { return .error(501, "NotImplemented") }
        let prefix = request.asks("prefix") ?? ""
        let uploads = state.withLock { $0.uploads.filter { $0.value.key.hasPrefix(prefix) } }
        // All of them began when this clock did.
        let text = uploads.map { id, upload in
            "<Upload><Key>\(upload.key)</Key><UploadId>\(Self.escaped(id))</UploadId>"
                + "<Initiated>2023-11-14T22:13:20.000Z</Initiated></Upload>"
        }
        return document("ListMultipartUploadsResult", text.joined())
    }

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    }

    private func document(_ name: String, _ content: String) -> S3FakeAnswer {
        let text = "<?xml version=\"1.0\"?>\n<\(name) xmlns=\"urn:x\">\(content)</\(name)>"
        return S3FakeAnswer(status: 200, headers: [("content-type", "application/xml")], body: Array(text.utf8))
    }
}

extension String {
    /// In the order that S3 has for keys.
    fileprivate func comes(after other: String) -> Bool { other.utf8.lexicographicallyPrecedes(utf8) }
}
