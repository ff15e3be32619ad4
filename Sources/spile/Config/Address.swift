/// Where a server listens, in canonical form `grpc://host:port` (plain) or `grpcs://host:port` (TLS)
/// (`contract/cli.md` §4.3).
struct Address: Hashable, Sendable, CustomStringConvertible {
    enum Kind: Hashable, Sendable {
        case plain
        case secure
        /// A local socket; `host` is its path.
        case unix
    }
    let kind: Kind
    let host: String
    let port: Int

    static let defaultPort = 30650

    init(kind: Kind, host: String, port: Int) {
        (self.kind, self.host, self.port) = (kind, host, port)
    }

    /// Reads `[scheme://]host[:port]`. Port 0, which a server may listen on to be given a free one, is read if allowed.
    init(_ text: String, allowsPortZero: Bool = false) throws {
        var rest = Substring(text)
        var kind = Kind.plain
        if let mark = text.range(of: "://") {
            switch text[..<mark.lowerBound].lowercased() {
            case "grpc", "http": kind = .plain
            case "grpcs", "https": kind = .secure
            case "unix": kind = .unix
            case let scheme:
                throw Self.problem(
                    text, "the scheme \"\(scheme)\" is not known; use grpc or grpcs, or http, https, unix")
            }
            rest = text[mark.upperBound...]
        }
        if kind == .unix {
            guard rest.hasPrefix("/") else { throw Self.problem(text, "a local socket is written unix:///path") }
            self.init(kind: .unix, host: String(rest), port: 0)
            return
        }
        for (mark, name) in [("/", "a path"), ("@", "a user name"), ("?", "a query"), ("#", "a fragment")]
        where rest.contains(mark) {
            throw Self.problem(text, "\(name) cannot be part of it; write host:port")
        }
        let (host, port) = try Self.hostAndPort(rest, of: text, least: allowsPortZero ? 0 : 1)
        self.init(kind: kind, host: host, port: port)
    }

    private static func hostAndPort(_ text: Substring, of whole: String, least: Int) throws -> (String, Int) {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let close = text.firstIndex(of: "]") else { throw problem(whole, "the bracket is not closed") }
            host = text[text.index(after: text.startIndex)..<close]
            let after = text[text.index(after: close)...]
            if after.first == ":" {
                port = after.dropFirst()
            } else if !after.isEmpty {
                throw problem(whole, "write the port as [host]:port")
            }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if port!.contains(":") { throw problem(whole, "an IPv6 address stands in brackets: [\(text)]:30650") }
        }
        if host.isEmpty { throw problem(whole, "it has no host") }
        guard let port, !port.isEmpty else { return (String(host), defaultPort) }
        guard let number = Int(port), (least...65535).contains(number) else {
            throw problem(whole, "\"\(port)\" is not a port from 1 to 65535")
        }
        return (String(host), number)
    }

    private static func problem(_ text: String, _ reason: String) -> Failure {
        Failure("cannot read the server address \"\(text)\": \(reason)")
    }

    var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return switch kind {
        case .plain: "grpc://\(name):\(port)"
        case .secure: "grpcs://\(name):\(port)"
        case .unix: "unix://\(host)"
        }
    }
}

extension String {
    /// The first place of a piece of text, without Foundation.
    func range(of piece: String) -> Range<String.Index>? {
        guard let first = piece.first else { return nil }
        var start = startIndex
        while let candidate = self[start...].firstIndex(of: first) {
            if self[candidate...].hasPrefix(piece) {
                return candidate..<index(candidate, offsetBy: piece.count)
            }
            start = index(after: candidate)
        }
        return nil
    }
}
