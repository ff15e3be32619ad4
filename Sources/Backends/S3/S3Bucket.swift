import Core
import Foundation

/// Where a bucket is and how its objects' addresses are made.
package struct S3Bucket: Sendable, Equatable, CustomStringConvertible {
    /// Where the bucket's name stands in an address.
    package enum Addressing: String, Sendable, CaseIterable {
        /// `https://host/bucket/key`: what most stores beside Amazon's want.
        case path
        /// `https://bucket.host/key`: what Amazon wants.
        case virtualHost
    }

    package let name: String
    package let region: String
    package let addressing: Addressing
    private let scheme: String
    /// Of the requests' `Host` header: the port only where it is not the scheme's own.
    let host: String

    /// A bucket of Amazon's region, or of another store at `endpoint` (`http://127.0.0.1:9000`): a scheme, a host and
    /// maybe a port, no path. Without `addressing` it is the endpoint's usual one: path for other stores and for names
    /// with a dot, which no certificate covers, virtual host for Amazon.
    ///
    /// Throws `invalidArgument` for names that no bucket can have and for endpoints of another form.
    package init(name: String, region: String, endpoint: String? = nil, addressing: Addressing? = nil) throws {
        guard (3...63).contains(name.utf8.count), name.utf8.allSatisfy(Self.isOfNames), name.first != "." else {
            throw SpileError.invalid(
                "\"\(name)\" cannot be the name of a bucket", remedy: "3 to 63 letters, digits, dots and hyphens")
        }
        guard !region.isEmpty, region.utf8.allSatisfy(Self.isOfNames) else {
            throw SpileError.invalid("\"\(region)\" cannot be a region", remedy: "for example us-east-1")
        }
        self.name = name
        self.region = region
        let usual: Addressing = endpoint == nil && !name.contains(".") ? .virtualHost : .path
        self.addressing = addressing ?? usual
        let text = endpoint ?? "https://s3.\(region).amazonaws.com"
        let (scheme, base) = try Self.parse(text)
        self.scheme = scheme
        host = self.addressing == .virtualHost ? "\(name).\(base)" : base
    }

    private static func isOfNames(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    private static func parse(_ endpoint: String) throws -> (scheme: String, host: String) {
        guard let parts = URLComponents(string: endpoint), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty, parts.user == nil,
            ["", "/"].contains(parts.path), parts.query == nil, parts.fragment == nil
        else {
            throw SpileError.invalid(
                "\"\(endpoint)\" is no endpoint of an S3 store", remedy: "for example https://storage.example.com:9000")
        }
        let plain = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        guard let port = parts.port, port != (scheme == "http" ? 80 : 443) else { return (scheme, plain) }
        return (scheme, "\(plain):\(port)")
    }

    /// What errors call it.
    package var description: String { "s3://\(name)" }

    /// The path of an object's address, or with an empty key that of the bucket, percent-encoded.
    func path(_ key: String) -> String {
        let encoded = S3Coding.path(key)
        switch addressing {
        case .virtualHost: return "/" + encoded
        case .path: return key.isEmpty ? "/" + name : "/\(name)/\(encoded)"
        }
    }

    func url(_ path: String, query: String) -> String {
        "\(scheme)://\(host)\(path)" + (query.isEmpty ? "" : "?\(query)")
    }
}

/// How S3 writes names in addresses: all but letters, digits and `-._~` as `%XX`.
enum S3Coding {
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Of a key in a path: slashes stay.
    static func path(_ key: String) -> String {
        PercentCoding.encoded(key.utf8) { isUnreserved($0) || $0 == UInt8(ascii: "/") }
    }

    /// The query as it is sent and as it is signed: encoded, in the order of the encoded names.
    static func query(_ items: [S3Request.Item]) -> String {
        items.map { item in (component(item.name), component(item.value)) }
            .sorted { $0 < $1 }
            .map { "\($0)=\($1)" }
            .joined(separator: "&")
    }

    private static func component(_ text: String) -> String {
        PercentCoding.encoded(text.utf8, keeping: isUnreserved)
    }
}
