import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

/// Ends the process when the server does not answer the dial, or when `--rpc-timeout` is over.
enum Watchdog {
    /// How long a dial may take.
    static let dialSeconds = 30

    private static let connection = Atomic(false)

    /// Whether the server has answered a dial.
    static var isConnected: Bool { connection.load(ordering: .relaxed) }

    /// Called when a connection stands.
    static func connected() { connection.store(true, ordering: .relaxed) }

    static func start(endpoint: Endpoint, rpcTimeout: Duration?) {
        if let rpcTimeout, rpcTimeout > .zero {
            let seconds = Double(rpcTimeout.components.seconds) + Double(rpcTimeout.components.attoseconds) / 1e18
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) {
                Console.note("context deadline exceeded: not done within the --rpc-timeout of \(rpcTimeout)")
                exit(1)
            }
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(dialSeconds)) {
            if isConnected { return }
            let place = "\"\(endpoint.address)\" (address from \(endpoint.origin))"
            Console.note("could not connect to pachd at \(place): context deadline exceeded after \(dialSeconds) s")
            exit(1)
        }
    }
}
