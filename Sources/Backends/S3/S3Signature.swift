import Core
import Crypto
import Foundation
import NIOCore

/// One request to a bucket, before it is signed.
struct S3Request: Sendable {
    /// A header or a part of a query.
    struct Item: Sendable {
        var name: String
        var value: String
    }

    var method: String
    /// Empty for requests about the bucket itself.
    var key: String
    var query: [Item] = []
    /// Names in lower case.
    var headers: [Item] = []
    var body = ByteBuffer()

    mutating func set(_ name: String, _ value: String) { headers.append(Item(name: name, value: value)) }
    mutating func ask(_ name: String, _ value: String = "") { query.append(Item(name: name, value: value)) }
}

/// Signs requests as S3 wants it: signature version 4 over the whole request, the body's SHA-256 included, so that a
/// body that was changed on its way is refused ("Authenticating Requests: Using the Authorization Header" in Amazon's
/// reference of the S3 API).
struct S3Signer: Sendable {
    let credentials: S3Credentials
    let region: String

    /// The headers of `request`, sent to `host` at `path` with `query` at that time, and the ones that sign them.
    func headers(
        for request: S3Request, host: String, path: String, query: String, at now: Instant
    ) -> [S3Request.Item] {
        let time = Self.text(of: now)
        let bodyHash = Hex.encode(Self.hash(request.body))
        var signed = request.headers
        signed.append(S3Request.Item(name: "host", value: host))
        signed.append(S3Request.Item(name: "x-amz-content-sha256", value: bodyHash))
        signed.append(S3Request.Item(name: "x-amz-date", value: time))
        if let token = credentials.sessionToken {
            signed.append(S3Request.Item(name: "x-amz-security-token", value: token))
        }
        signed.sort { $0.name < $1.name }

        let names = signed.map(\.name).joined(separator: ";")
        let lines = signed.map { "\($0.name):\($0.value.trimmingCharacters(in: .whitespaces))\n" }.joined()
        let canonical = [request.method, path, query, lines, names, bodyHash].joined(separator: "\n")
        let day = String(time.prefix(8))
        let scope = "\(day)/\(region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(Hex.encode(SHA256.hash(data: Data(canonical.utf8))))"
        let signature = Hex.encode(Self.code(text, key: key(day: day)))
        let credential = "\(credentials.accessKey)/\(scope)"
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(credential),SignedHeaders=\(names),Signature=\(signature)"
        return signed + [S3Request.Item(name: "authorization", value: authorization)]
    }

    /// The key of one day, region and service.
    private func key(day: String) -> SymmetricKey {
        var key = SymmetricKey(data: Data("AWS4\(credentials.secretKey)".utf8))
        for word in [day, region, "s3", "aws4_request"] { key = SymmetricKey(data: Self.code(word, key: key)) }
        return key
    }

    private static func code(_ text: String, key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Data(text.utf8), using: key)
    }

    private static func hash(_ body: ByteBuffer) -> SHA256.Digest {
        body.withUnsafeReadableBytes { bytes in
            var hash = SHA256()
            hash.update(bufferPointer: bytes)
            return hash.finalize()
        }
    }

    /// `20130524T000000Z`.
    static func text(of instant: Instant) -> String {
        SpecTimestamp.formatSeconds(instant).filter { $0 != "-" && $0 != ":" }
    }
}
