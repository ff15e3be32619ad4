import Core

extension KubernetesClient {
    /// Seconds after a pod's grace until it is taken for lost with its node, and removed by force.
    static let lostSeconds = 30.0
    /// Seconds for which a log is followed at a stretch: a connection that has silently gone is noticed by then.
    private static let logSeconds = 900.0

    /// What a pod's `user` container prints, from its beginning or from a time (RFC 3339, whole seconds) on, each line
    /// behind its time, until the container ends.
    func log(of pod: String, since: String?) async throws -> KubernetesStream {
        var call = Call(act("get", .pod, pod, part: "/log"), .GET, KubernetesKind.pod.path(in: namespace, name: pod))
        call.path += "/log"
        call.query = [("container", "user"), ("follow", "true"), ("timestamps", "true")]
        if let since { call.query.append(("sinceTime", since)) }
        return try await stream(call, seconds: Self.logSeconds)
    }

    /// Ends a pod and waits until it is gone: SIGTERM, SIGKILL after `grace` seconds (1 at least, which Kubernetes
    /// takes for as long as it needs), and by force where its node does not answer. Nobody else's by the same name is
    /// touched.
    func remove(pod name: String, uid: String, grace: Double) async throws {
        let seconds = Self.wholeSeconds(grace)
        do {
            guard try await delete(.pod, name, grace: seconds, uid: uid) else { return }
        } catch let error as SpileError where error.code == .aborted {
            // Another pod has its name by now.
            return
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.untilGone(pod: name, uid: uid) }
            group.addTask {
                var pause = Double(seconds) + Self.lostSeconds
                while true {
                    try await self.time.sleep(pause)
                    pause = Self.lostSeconds
                    _ = try? await self.delete(.pod, name, grace: 0, uid: uid)
                }
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }

    static func wholeSeconds(_ grace: Double) -> Int { Int(min(max(grace.rounded(.up), 1), 1e6)) }

    private func untilGone(pod name: String, uid: String) async throws {
        func isIt(_ pod: JSONValue) -> Bool { pod.at("metadata", "uid")?.string == uid }
        try await follow(.pod, fields: "metadata.name=\(name)") { change in
            switch change {
            case .listed(let pods): pods.contains(where: isIt)
            case .removed(let pod): !isIt(pod)
            case .changed, .failed: true
            }
        }
    }

    /// The last warning about a pod; nil for none.
    func warning(about uid: String) async throws -> String? {
        let events = try await list(.event, fields: "involvedObject.uid=\(uid),type=Warning").items
        func time(_ event: JSONValue) -> String {
            event["lastTimestamp"]?.string ?? event["eventTime"]?.string
                ?? event.at("metadata", "creationTimestamp")?.string ?? ""
        }
        return events.max { time($0) < time($1) }?["message"]?.string
    }
}
