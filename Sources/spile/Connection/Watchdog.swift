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

    /// Why the last dial failed. Guarded by the mutex: written by the command, read when the time is over.
    private static let refusal = Mutex("no answer")

    /// Called when a dial failed and will be tried again.
    static func refused(_ cause: String) { refusal.withLock { $0 = cause } }

    static func start(endpoint: Endpoint, rpcTimeout: Duration?) {
        if let rpcTimeout, rpcTimeout > .zero {
            let seconds = Double(rpcTimeout.components.seconds) + Double(rpcTimeout.components.attoseconds) / 1e18
            DispatchQueue.global().asyncAfter(deadline: .now() + seconds) {
                if isConnected {
                    Console.note(
                        "context deadline exceeded: \"\(endpoint.address)\" answers, but the command was not done "
                            + "within the --rpc-timeout of \(rpcTimeout)")
                } else {
                    Console.note(
                        endpoint.unreachable(refusal.withLock { $0 }, within: "the --rpc-timeout of \(rpcTimeout)"))
                }
                exit(1)
            }
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(dialSeconds)) {
            if isConnected { return }
            Console.note(endpoint.unreachable(refusal.withLock { $0 }, within: "\(dialSeconds) seconds"))
            exit(1)
        }
    }
}
