import Core
import Crypto
import Foundation

/// Checks signature version 4 as a store does: from the request as it came, by the order of S3's reference.
struct S3FakeSignature {
    struct Keys: Sendable {
        var accessKey: String
        var secretKey: String
        var token: String
    }

    let credentials: Keys
    let now: Instant

    /// S3's word for what is wrong; nil if nothing is.
    func problem(of request: S3FakeRequest) -> String? {
        guard let header = request.headers["authorization"], header.hasPrefix("AWS4-HMAC-SHA256 ") else {
            return "AccessDenied"
        }
        var fields: [String: String] = [:]
        for field in header.dropFirst("AWS4-HMAC-SHA256 ".count).split(separator: ",") {
            let parts = field.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        let scope = (fields["Credential"] ?? "").split(separator: "/").map(String.init)
        guard scope.count == 5, scope[0] == credentials.accessKey else { return "InvalidAccessKeyId" }
        guard request.headers["x-amz-security-token"] == credentials.token else { return "InvalidToken" }
        guard let date = request.headers["x-amz-date"], date.hasPrefix(scope[1]), isNear(date) else {
            return "RequestTimeTooSkewed"
        }
        let hash = Self.hex(SHA256.hash(data: request.body))
        guard request.headers["x-amz-content-sha256"] == hash else { return "XAmzContentSHA256Mismatch" }
        let names = (fields["SignedHeaders"] ?? "").split(separator: ";").map(String.init)
        let needed = request.headers.keys.filter { $0.hasPrefix("x-amz-") || $0 == "host" || $0.hasPrefix("if-") }
        guard names == names.sorted(), Set(names).isSuperset(of: needed) else { return "AccessDenied" }
        let right = signature(request, names, scope: scope.dropFirst().joined(separator: "/"), date, hash)
        return fields["Signature"] == right ? nil : "SignatureDoesNotMatch"
    }

    private func signature(
        _ request: S3FakeRequest, _ names: [String], scope: String, _ date: String, _ hash: String
    ) -> String {
        let query = request.query.map { "\($0.name)=\($0.value)" }.sorted().joined(separator: "&")
        var lines = [request.method, request.path, query]
        for name in names { lines.append("\(name):\(request.headers[name] ?? "")") }
        lines += ["", names.joined(separator: ";"), hash]
        let digest = Self.hex(SHA256.hash(data: Data(lines.joined(separator: "\n").utf8)))
        var key = Data("AWS4\(credentials.secretKey)".utf8)
        for step in scope.split(separator: "/") { key = Self.code(Data(step.utf8), key) }
        return Self.hex(Self.code(Data("AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(digest)".utf8), key))
    }

    private func isNear(_ date: String) -> Bool {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        guard let time = format.date(from: date) else { return false }
        return abs(time.timeIntervalSince1970 - Double(now.seconds)) < 900
    }

    private static func code(_ data: Data, _ key: Data) -> Data {
        Data(HMAC<SHA256>.authenticationCode(for: data, using: SymmetricKey(data: key)))
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String(format: "%02x", $0) }.joined()
    }
}
