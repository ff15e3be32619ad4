import Foundation
import Testing

/// Takes connections on a free port of loopback for as long as it lives; each is handed on in the accepting thread.
final class LoopbackListener: Sendable {
    let port: Int
    private let socket: Int32

    init(_ connected: @escaping @Sendable (_ connection: Int32) -> Void) throws {
        let listener = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { plain in
                bind(listener, plain, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, plain, &length) == 0
            }
        }
        try #require(isListening)
        socket = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { break }
                connected(connection)
            }
            // Here and not where it is shut down: the number may be that of another's listener as soon as it is free.
            close(listener)
        }.start()
    }

    /// Nobody gets through any more. The accepting thread ends.
    deinit { shutdown(socket, Int32(SHUT_RDWR)) }
}
