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
        let bodyHash = S3Coding.hex(Self.hash(request.body))
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
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(S3Coding.hex(SHA256.hash(data: Data(canonical.utf8))))"
        let signature = S3Coding.hex(Self.code(text, key: key(day: day)))
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
        let seconds = instant.seconds
        let day = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
        let second = Int(seconds) - day * 86_400
        let date = civilDate(day: day)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return padded(date.year, 4) + padded(date.month, 2) + padded(date.day, 2) + "T"
            + padded(second / 3600, 2) + padded(second / 60 % 60, 2) + padded(second % 60, 2) + "Z"
    }

    /// The date of a day counted from 1970-01-01. Years are taken to begin in March, so that the leap day ends them.
    private static func civilDate(day: Int) -> (year: Int, month: Int, day: Int) {
        let daysOfEra = 146_097
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - (daysOfEra - 1)) / daysOfEra
        let dayOfEra = shifted - era * daysOfEra
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
