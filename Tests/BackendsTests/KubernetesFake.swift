import Core
import Simulation
import Synchronization

@testable import Backends

/// An API server in this process, of one namespace: stricter than the real one, and as awkward as a test wants.
///
/// It knows pods, secrets, services, events and leases; refuses kinds, fields, selectors and content types it does not
/// know; keeps versions and refuses stale ones; streams watches with bookmarks and forgets old versions; deletes pods
/// with grace. What a node would do (run, end, fail) the test says. All state is guarded by its mutex.
final class KubernetesFake: Sendable {
    static let namespace = "spile"

    struct Request: Sendable {
        var verb: String
        var kind: String
        var name: String
        /// `log`, or empty.
        var part: String
        var query: [String: String]
        var body: JSONValue
        var token: String
    }

    enum Item: Sendable {
        case text(String)
        /// The connection is cut without an end.
        case cut
    }

    enum Answer: Sendable {
        case whole(status: Int, JSONValue, headers: [(String, String)] = [])
        case stream(AsyncStream<Item>)
        /// The connection is closed before anything is said.
        case none
    }

    /// What befalls a request instead of its answer.
    struct Fault: Sendable {
        /// `verb kind`, such as `create pods`; empty for any.
        var of = ""
        var answer: Answer
        /// Whether the request is carried out all the same.
        var happens = false
    }

    struct Watcher: Sendable {
        var kind: String
        var query: [String: String]
        var stream: AsyncStream<Item>.Continuation
    }

    struct Log: Sendable {
        var lines: [(time: String, text: String)] = []
        var isOver = false
        var followers: [AsyncStream<Item>.Continuation] = []
    }

    struct State: Sendable {
        var version: Int64 = 100
        var objects: [String: [String: JSONValue]] = [:]
        var history: [(version: Int64, kind: String, type: String, object: JSONValue)] = []
        var forgotten: Int64 = 0
        var watchers: [Watcher] = []
        var logs: [String: Log] = [:]
        var faults: [Fault] = []
        var tokens: Set<String> = ["secret-token"]
        var denied: Set<String> = []
        var runsPods = false
        var endsPods = false
        var pageLength = Int.max
        var ticks: Int64 = 0
    }

    let state = Mutex(State())
    /// Every request, as it comes in.
    let requests = ScriptedMailbox<Request>()
    /// Every pod, as it is made.
    let pods = ScriptedMailbox<JSONValue>()
    /// Every wish to delete: kind, name, grace.
    let deletions = ScriptedMailbox<(kind: String, name: String, grace: Int64?)>()

    // MARK: What a test sees and says

    func object(_ kind: String, _ name: String) -> JSONValue? { state.withLock { $0.objects[kind]?[name] } }
    func names(_ kind: String) -> [String] { state.withLock { $0.objects[kind]?.keys.sorted() ?? [] } }

    /// The next requests that match get these answers.
    func fail(_ faults: Fault...) { state.withLock { $0.faults += faults } }
    func deny(_ right: String) { state.withLock { _ = $0.denied.insert(right) } }
    func accept(tokens: Set<String>) { state.withLock { $0.tokens = tokens } }
    /// Pods run as soon as they are made; they end, by SIGTERM's code, as soon as that is asked for.
    func playNode(runs: Bool = true, ends: Bool = true) {
        state.withLock { ($0.runsPods, $0.endsPods) = (runs, ends) }
    }
    func setPageLength(_ length: Int) { state.withLock { $0.pageLength = length } }

    /// Puts an object there as somebody else would, without checks.
    func put(_ kind: String, _ object: JSONValue) {
        state.withLock { state in
            _ = state.store(kind, object, isNew: state.objects[kind]?[object.name] == nil)
        }
    }

    func remove(_ kind: String, _ name: String) { state.withLock { $0.remove(kind, name) } }

    /// Changes an object by a merge patch, as a controller or a node would.
    func change(_ kind: String, _ name: String, _ patch: JSONValue) {
        state.withLock { state in
            guard let old = state.objects[kind]?[name] else { return }
            _ = state.store(kind, old.merged(with: patch), isNew: false)
        }
    }

    /// Forgets all versions so far: a watch from one of them is refused.
    func forgetHistory() {
        state.withLock { state in
            state.forgotten = state.version
            state.history = []
        }
    }

    /// Cuts all watches of a kind, or tells them something.
    func cutWatches(_ kind: String, saying text: String? = nil, orderly: Bool = false) {
        let watchers = state.withLock { state in
            defer { state.watchers.removeAll { $0.kind == kind } }
            return state.watchers.filter { $0.kind == kind }
        }
        for watcher in watchers {
            if let text { watcher.stream.yield(.text(text + "\n")) }
            if !orderly { watcher.stream.yield(.cut) }
            watcher.stream.finish()
        }
    }

    func bookmark(_ kind: String) {
        state.withLock { state in
            state.version += 1
            let event: JSONValue = [
                "type": "BOOKMARK", "object": ["metadata": ["resourceVersion": "\(state.version)"]],
            ]
            for watcher in state.watchers where watcher.kind == kind { watcher.stream.yield(.text(event.text + "\n")) }
        }
    }

    var watches: Int { state.withLock { $0.watchers.count } }

    func stopStreams() {
        let streams = state.withLock { state in
            defer {
                state.watchers = []
                for name in state.logs.keys { state.logs[name]?.followers = [] }
            }
            return state.watchers.map(\.stream) + state.logs.values.flatMap(\.followers)
        }
        for stream in streams { stream.finish() }
    }
}

extension JSONValue {
    var name: String { self["metadata"]?["name"]?.string ?? "" }
    var uid: String { self["metadata"]?["uid"]?.string ?? "" }
    var version: String { self["metadata"]?["resourceVersion"]?.string ?? "" }

    /// The value at a path of members and places in lists.
    func at(path: String) -> JSONValue? {
        path.split(separator: "/").reduce(self as JSONValue?) { value, name in
            if let index = Int(name), let elements = value?.elements, !elements.isEmpty {
                return elements.indices.contains(index) ? elements[index] : nil
            }
            return value?[String(name)]
        }
    }
}

extension KubernetesFake.State {
    mutating func tick() -> String {
        ticks += 1
        return SpecTimestamp.format(Instant(nanoseconds: 1_800_000_000_000_000_000 + ticks * 400_000_000))
    }

    /// Keeps an object with a new version and tells the watchers.
    mutating func store(_ kind: String, _ object: JSONValue, isNew: Bool) -> JSONValue {
        version += 1
        var meta: JSONValue = ["resourceVersion": "\(version)", "namespace": .string(KubernetesFake.namespace)]
        if isNew { meta = meta.merged(with: ["uid": "uid-\(version)", "creationTimestamp": .string(tick())]) }
        let stored = object.merged(with: ["metadata": meta])
        objects[kind, default: [:]][object.name] = stored
        tell(kind, isNew ? "ADDED" : "MODIFIED", stored)
        return stored
    }

    mutating func remove(_ kind: String, _ name: String) {
        guard let old = objects[kind]?.removeValue(forKey: name) else { return }
        version += 1
        tell(kind, "DELETED", old.merged(with: ["metadata": ["resourceVersion": "\(version)"]]))
        if kind == "pods" {
            for follower in logs.removeValue(forKey: name)?.followers ?? [] { follower.finish() }
            // What the pod owned goes after it.
            for kind in ["secrets", "services"] {
                for (owned, object) in objects[kind] ?? [:]
                where object.at(path: "metadata/ownerReferences/0/uid")?.string == old.uid {
                    remove(kind, owned)
                }
            }
        }
    }

    private mutating func tell(_ kind: String, _ type: String, _ object: JSONValue) {
        history.append((version, kind, type, object))
        let text = JSONValue.object([JSONMember("type", .string(type)), JSONMember("object", object)]).text + "\n"
        for watcher in watchers where watcher.kind == kind {
            guard (try? KubernetesFakeSelectors.match(object, watcher.query)) == true else { continue }
            watcher.stream.yield(.text(text))
        }
    }
}
