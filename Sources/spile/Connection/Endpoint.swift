/// The server a command talks to, and what it presents there.
struct Endpoint: Equatable, Sendable {
    var address: Address
    /// PEM texts that replace the system's roots; empty for the system's.
    var roots = ""
    var token = ""
    /// Where the address came from, for the message when it does not answer.
    var origin: String
    /// Inside a worker there is no greeting and nothing is written to the config file.
    var isWorker = false

    /// Whether the server would be on this machine.
    var isHere: Bool { address.kind == .unix || ["127.0.0.1", "localhost", "::1"].contains(address.host) }

    /// What a dial that failed is told as. `within` is the time that ran out, where one did.
    func unreachable(_ cause: String, within: String? = nil) -> String {
        let deadline = within.map { "context deadline exceeded: no connection within \($0); " } ?? ""
        return "could not connect to pachd at \"\(address)\": \(cause) (\(deadline)address from \(origin))"
            + (isHere && !isWorker ? ". Is the server running? \"spile server\" starts it" : "")
    }

    /// Picks the endpoint (`contract/cli.md` §4.3, §4.5): the worker's own port, `PACHD_ADDRESS`, the context's
    /// address, the context's forwarded port, this machine.
    static func choose(context: ClientConfig.Context?, name: String, environment: Environment) throws -> Endpoint {
        let token = context?.sessionToken ?? ""
        if try environment.flag("PACH_IN_WORKER") {
            guard let text = environment.nonEmpty("PEER_PORT") else {
                throw Failure("PACH_IN_WORKER is set, but PEER_PORT is not: it names the port of this worker's server")
            }
            guard let port = Int(text), (1...65535).contains(port) else {
                throw Failure("PEER_PORT=\(text) is not a port from 1 to 65535")
            }
            let address = Address(kind: .plain, host: "127.0.0.1", port: port)
            return Endpoint(address: address, token: token, origin: "PEER_PORT", isWorker: true)
        }
        let roots = context.map { decodeBase64($0.serverCAs) } ?? ""
        if let text = environment.nonEmpty("PACHD_ADDRESS") {
            let address = try Address(text)
            let given = try readRoots(environment, for: address)
            return Endpoint(address: address, roots: given ?? roots, token: token, origin: "PACHD_ADDRESS")
        }
        guard let context else { throw Failure("no context is active: make one with \"connect <address>\"") }
        if !context.pachdAddress.isEmpty {
            let address = try Address(context.pachdAddress)
            if !context.serverCAs.isEmpty && address.kind != .secure {
                throw Failure("context \"\(name)\" has server_cas but the plain address \(address): use grpcs://")
            }
            return Endpoint(address: address, roots: roots, token: token, origin: "context \"\(name)\"")
        }
        if let port = context.portForwarders.first(where: { $0.name == "pachd" })?.port {
            let address = Address(kind: .plain, host: "127.0.0.1", port: port)
            return Endpoint(address: address, token: token, origin: "the port forwarder of context \"\(name)\"")
        }
        let here = Address(kind: .plain, host: "127.0.0.1", port: Address.defaultPort)
        return Endpoint(address: here, token: token, origin: "the default, as context \"\(name)\" has none")
    }

    /// The texts of the files and folders in `PACH_CA_CERTS`; nil where it is not set.
    private static func readRoots(_ environment: Environment, for address: Address) throws -> String? {
        guard let list = environment.nonEmpty("PACH_CA_CERTS") else { return nil }
        guard address.kind == .secure else {
            throw Failure("PACH_CA_CERTS is set, but \(address) is not a TLS address: use grpcs://")
        }
        var text = ""
        for path in list.split(separator: ",").map(String.init) {
            let files = Files.kind(path) == .folder ? try Files.walk(path) : [path]
            for file in files { text += String(decoding: try Files.read(file), as: UTF8.self) + "\n" }
        }
        return text
    }
}

/// The text behind standard base64; what is not base64 is skipped.
func decodeBase64(_ text: String) -> String {
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var count = 0
    for byte in text.utf8 {
        let value: UInt8
        switch byte {
        case 65...90: value = byte - 65
        case 97...122: value = byte - 71
        case 48...57: value = byte + 4
        case UInt8(ascii: "+"): value = 62
        case UInt8(ascii: "/"): value = 63
        default: continue
        }
        bits = bits << 6 | UInt32(value)
        count += 6
        if count >= 8 {
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
