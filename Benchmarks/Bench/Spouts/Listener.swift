import Foundation

/// The code of a spout with a service: listens, notes when it began to, and answers every connection with one byte.
/// This program itself is that code, where its variables say so.
struct Listener {
    let port: Int
    /// The file that gets the moment, in seconds of the monotonic clock.
    let note: String

    private static let portName = "SPILE_BENCH_LISTEN", noteName = "SPILE_BENCH_NOTE"

    var variables: [String: String] { [Self.portName: "\(port)", Self.noteName: note] }

    init(port: Int, note: String) {
        self.port = port
        self.note = note
    }

    /// What this process was started for; nil if for something else.
    init?() {
        let variables = ProcessInfo.processInfo.environment
        guard let port = variables[Self.portName].flatMap({ Int($0) }), let note = variables[Self.noteName] else {
            return nil
        }
        self.init(port: port, note: note)
    }

    func run() -> Never {
        guard let socket = try? Self.bound(port), listen(socket, 16) == 0 else { exit(1) }
        let now = Stopwatch.now()
        guard (try? "\(now)".write(toFile: note, atomically: true, encoding: .utf8)) != nil else { exit(1) }
        while true {
            let connection = accept(socket, nil, nil)
            if connection < 0 { continue }
            _ = send(connection, "x", 1, Int32(MSG_NOSIGNAL))
            close(connection)
        }
    }

    /// When it began to listen. To be asked once it has answered.
    func listening() throws -> Double {
        // It is noted right after; the answer may be faster.
        for _ in 0..<1_000 {
            if let text = try? String(contentsOfFile: note, encoding: .utf8), let moment = Double(text) { return moment }
            usleep(1_000)
        }
        throw Unexpected("the listener on port \(port) has not said when it began")
    }

    static func freePort() throws -> Int {
        let socket = try bound(0)
        defer { close(socket) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        guard status == 0 else { throw Unexpected("no free port: \(String(cString: strerror(errno)))") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// The moment of the first answer on a port of this machine, asked again and again.
    static func answer(on port: Int, within seconds: Double) throws -> Double {
        let watch = Stopwatch()
        while watch.seconds < seconds {
            if asked(port) { return Stopwatch.now() }
            usleep(500)
        }
        throw Unexpected("nothing answers on port \(port) within \(Int(seconds)) s")
    }

    private static func asked(_ port: Int) -> Bool {
        let socket = stream()
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var patience = timeval(tv_sec: 0, tv_usec: 200_000)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard withAddress(port, { connect(socket, $0, $1) }) == 0 else { return false }
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, 0) == 1
    }

    private static func bound(_ port: Int) throws -> Int32 {
        let socket = stream()
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard socket >= 0, withAddress(port, { bind(socket, $0, $1) }) == 0 else {
            throw Unexpected("port \(port) cannot be had: \(String(cString: strerror(errno)))")
        }
        return socket
    }

    private static func stream() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }

    private static func withAddress(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
