import Core
import NIOCore

/// What one who follows objects is told, in order.
package enum KubernetesChange: Sendable {
    /// All there are now: what was told before and is not among them is gone.
    case listed([JSONValue])
    /// A new one, or a new version of one.
    case changed(JSONValue)
    /// The last version of one that is gone.
    case removed(JSONValue)
    /// Nothing can be heard now. It is tried again after a pause, for as long as it takes.
    case failed(SpileError)
}

extension KubernetesClient {
    /// Seconds after which the server ends a watch, plus up to a quarter of it.
    private static let watchSeconds = 240.0

    /// Tells `hear` of the objects that have `fields`, and of each of their changes, until it returns false. Versions
    /// that come fast may be passed over, the last one never is.
    ///
    /// Throws `CancellationError` where its task is cancelled. One change waits for the other, and what waits stays
    /// with the server.
    package func follow(
        _ kind: KubernetesKind, fields: String = "", _ hear: (KubernetesChange) async -> Bool
    ) async throws {
        var following = KubernetesFollowing()
        while true {
            do {
                switch following.step {
                case .list:
                    let list = try await list(kind, fields: fields)
                    following.listed(at: list.resourceVersion)
                    if await !hear(.listed(list.items)) { return }
                case .watch(let version):
                    let call = watchCall(kind, Self.selectors("", fields), from: version)
                    if try await !watch(call, &following, hear) { return }
                case .wait(let failures):
                    try await time.sleep(time.pause(after: failures))
                    following.waited()
                }
            } catch let error as SpileError {
                following.failed()
                if await !hear(.failed(error)) { return }
            }
        }
    }

    private func watchCall(_ kind: KubernetesKind, _ selectors: [(String, String)], from version: String) -> Call {
        var call = Call(act("watch", kind), .GET, kind.path(in: namespace))
        let seconds = Int(Self.watchSeconds * (1 + time.randomness.fraction() / 4))
        call.query =
            selectors + [
                ("watch", "true"), ("resourceVersion", version), ("allowWatchBookmarks", "true"),
                ("timeoutSeconds", "\(seconds)"),
            ]
        return call
    }

    /// One watch, to its end. False where `hear` has heard enough.
    private func watch(
        _ call: Call, _ following: inout KubernetesFollowing, _ hear: (KubernetesChange) async -> Bool
    ) async throws -> Bool {
        do {
            var lines = JSONLines()
            // Longer than the server's own end: it is for a connection that has silently gone.
            var pieces = try await stream(call, seconds: Self.watchSeconds * 1.25 + 30)
            while let piece = try await pieces.next() {
                for line in try lines.take(piece.readableBytesView) {
                    switch following.heard((try? SpecDocument.plainJSON(line)) ?? .null) {
                    case .changed(let object): if await !hear(.changed(object)) { return false }
                    case .removed(let object): if await !hear(.removed(object)) { return false }
                    case .none: break
                    case .over(nil): return true
                    case .over(let status?):
                        let code = UInt(clamping: status["code"]?.integer ?? 500)
                        return await hear(
                            .failed(KubernetesFault.error(call.act, status: code, status, text: "")))
                    }
                }
            }
            following.ended()
            return true
        } catch is KubernetesGone {
            following.gone()
            return true
        }
    }
}
