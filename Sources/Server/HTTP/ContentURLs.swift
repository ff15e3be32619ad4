import Core
import Foundation
import Storage

/// A run of bytes of one file of a file set, as a URL names it.
struct ContentRun: Sendable, Equatable {
    var fileSet: FileSetID
    var path: String
    var datum: String
    var range: Range<UInt64>
    /// Seconds since 1970 after which the URL is no longer good.
    var expires: Int64

    /// What is signed. No part of it can hold a line break, so different runs never read alike.
    fileprivate var signedText: [UInt8] {
        let fields = [
            "spile content 1", "\(fileSet)", path, datum, "\(range.lowerBound)", "\(range.upperBound)", "\(expires)",
        ]
        return Array(fields.joined(separator: "\n").utf8)
    }
}

/// Makes and reads the URLs under which file contents can be fetched without a call: signed with HMAC-SHA256 over what
/// they name, good until a given time. They do not say by which host they are reached, so a client may replace it.
struct ContentURLs: Sendable {
    static let path = "/filesets"

    /// 32 bytes that only this data folder's catalog holds.
    let key: [UInt8]

    /// `host` is written as it is; an IPv6 address needs its brackets.
    func url(_ run: ContentRun, host: String, port: Int) -> String {
        let signature = Hashing.signature(of: run.signedText, key: key)
        return "http://\(host):\(port)\(Self.path)/\(run.fileSet)?path=\(Self.escaped(run.path))"
            + "&datum=\(Self.escaped(run.datum))&from=\(run.range.lowerBound)&to=\(run.range.upperBound)"
            + "&expires=\(run.expires)&signature=\(signature)"
    }

    /// What a URL names. Throws `permissionDenied` unless this server signed it and it is still good at `now`.
    func run(
        fileSet: String, at now: Instant, _ parameter: (String) -> String?
    ) throws(SpileError) -> ContentRun {
        guard let id = FileSetID(fileSet), let path = parameter("path"), let datum = parameter("datum"),
            let from = parameter("from").flatMap({ UInt64($0) }), let to = parameter("to").flatMap({ UInt64($0) }),
            from <= to, let expires = parameter("expires").flatMap({ Int64($0) }),
            let signature = parameter("signature").flatMap({ Hex.decode($0) }), signature.count == Digest.byteCount
        else { throw Self.refusal("is incomplete") }
        let run = ContentRun(fileSet: id, path: path, datum: datum, range: from..<to, expires: expires)
        guard Hashing.isSignature(Digest(signature), of: run.signedText, key: key) else {
            throw Self.refusal("was not signed by this server")
        }
        guard now.seconds < expires else { throw Self.refusal("has expired") }
        return run
    }

    private static func refusal(_ what: String) -> SpileError {
        SpileError(.permissionDenied, "this URL \(what)", remedy: "read the file set's references again")
    }

    /// Percent-encoding of everything but what no reader of URLs gives a meaning.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                result.unicodeScalars.append(UnicodeScalar(byte))
            default: result += "%" + Hex.encode([byte])
            }
        }
        return result
    }

    /// The key of a catalog, made at the first use.
    static func key(of catalog: any Catalog, _ randomness: some Randomness) throws -> [UInt8] {
        let fresh = Digest(words: (randomness.next(), randomness.next(), randomness.next(), randomness.next()))
        guard let key = Hex.decode(try catalog.standing("content_url_key", else: "\(fresh)")), key.count == 32 else {
            throw SpileError(
                .dataLoss, "the catalog's setting content_url_key is no key",
                remedy: "restore the catalog from a backup")
        }
        return key
    }
}
