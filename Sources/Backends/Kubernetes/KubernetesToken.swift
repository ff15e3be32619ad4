import Core
import Synchronization

/// The token of a service account, read from its file again as the file is rotated. `state` is guarded by its mutex.
final class KubernetesToken: Sendable {
    private struct State {
        var text: String?
        var readAt: Instant?
    }

    private let credential: KubernetesConfig.Credential
    private let clock: any Clock
    private let state = Mutex(State())

    /// Kubelets write a new token when a fifth of the old one's life is left, minutes at least.
    static let longestAge = 60.0

    init(_ credential: KubernetesConfig.Credential, clock: any Clock) {
        self.credential = credential
        self.clock = clock
    }

    /// The token to send; nil where there is none. A file that cannot be read now leaves what was read before.
    func value() throws(SpileError) -> String? {
        switch credential {
        case .anonymous, .certificate: return nil
        case .token(let text): return text
        case .tokenFile(let path):
            let now = clock.now()
            let text = state.withLock { state -> String? in
                if let readAt = state.readAt, (0..<Self.longestAge).contains(now.seconds(since: readAt)) {
                    return state.text
                }
                if let fresh = Self.read(path) { state = State(text: fresh, readAt: now) }
                return state.text
            }
            if let text { return text }
            throw SpileError(
                .unavailable, "the token's file \(path) is empty or cannot be read",
                remedy: "check that the pod's service account is mounted")
        }
    }

    /// The server did not take `used`. Whether another one can be had now.
    func refused(_ used: String?) -> Bool {
        guard case .tokenFile(let path) = credential, let fresh = Self.read(path), fresh != used else { return false }
        let now = clock.now()
        state.withLock { $0 = State(text: fresh, readAt: now) }
        return true
    }

    private static func read(_ path: String) -> String? {
        guard let bytes = PosixFiles.read(path, limit: 64 << 10) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isWhitespace }
        return text.isEmpty ? nil : text
    }
}
