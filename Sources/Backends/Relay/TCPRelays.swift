import Core
import NIOCore
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Ports of the code as ports of this machine: each accepted connection is passed on to the code's port on the loopback
/// interface. One that comes while the code does not listen is closed at once.
package final class TCPRelays: ServicePorts {
    private struct State {
        var relays: [PipelineKey: TCPRelay] = [:]
        /// Counts closings, so that one overtakes an opening under way.
        var closings: [PipelineKey: Int] = [:]
        /// Those told to end whose port may still be taken.
        var ending: [TCPRelay] = []
    }

    /// The address others connect to, unless the exposure is local.
    private let host: String
    private let state = Mutex(State())

    package init(host: String) { self.host = host }

    deinit { for relay in state.withLock({ $0.relays.values }) { relay.close() } }

    package func open(_ exposure: Exposure) async throws {
        let isOpen = state.withLock { $0.relays[exposure.pipeline]?.exposure == exposure }
        if isOpen { return }
        end(exposure.pipeline)
        let (closings, ending) = state.withLock { state in
            defer { state.ending = [] }
            return (state.closings[exposure.pipeline], state.ending)
        }
        for relay in ending { await relay.ended() }
        let address = exposure.isLocal ? "127.0.0.1" : host
        let relay: TCPRelay
        do { relay = try await TCPRelay(exposure, host: address) } catch {
            throw Self.failure(exposure, address, error)
        }
        state.withLock { state in
            if state.closings[exposure.pipeline] == closings {
                state.relays[exposure.pipeline] = relay
            } else {
                relay.close()
                state.ending.append(relay)
            }
        }
    }

    package func close(_ pipeline: PipelineKey) {
        state.withLock { $0.closings[pipeline, default: 0] += 1 }
        end(pipeline)
    }

    private func end(_ pipeline: PipelineKey) {
        state.withLock { state in
            guard let relay = state.relays.removeValue(forKey: pipeline) else { return }
            relay.close()
            state.ending.append(relay)
        }
    }

    private static func failure(_ exposure: Exposure, _ host: String, _ error: any Error) -> SpileError {
        let what = "cannot open port \(exposure.externalPort) on \(host) for pipeline \(exposure.pipeline)"
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            return SpileError(
                .unavailable, "\(what): it is in use", remedy: "choose another external_port, or stop what uses it")
        case EACCES:
            return SpileError(
                .permissionDenied, "\(what): it is privileged",
                remedy: "choose an external_port from 1024 on, or let the server bind privileged ports")
        default: return SpileError(.unavailable, what, cause: error)
        }
    }
}
