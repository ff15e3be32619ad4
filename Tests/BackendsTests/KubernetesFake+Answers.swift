import Core
import Foundation

@testable import Backends

/// How the fake answers.
extension KubernetesFake {
    static func refusal(
        _ status: Int, _ reason: String, _ message: String, headers: [(String, String)] = []
    ) -> Answer {
        .whole(
            status: status,
            [
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": .string(reason),
                "message": .string(message), "code": .number("\(status)"),
            ], headers: headers)
    }

    static func missing(_ request: Request) -> Answer {
        refusal(404, "NotFound", "\(request.kind) \"\(request.name)\" not found")
    }

    func answer(method: String, target: String, headers: [String: String], body: [UInt8]) -> Answer {
        guard let request = request(method, target, headers, body) else {
            return Self.refusal(404, "NotFound", "the server could not find the requested resource \(target)")
        }
        requests.put(request)
        return state.withLock { state in
            if !state.tokens.contains(request.token) {
                return Self.refusal(401, "Unauthorized", "Unauthorized")
            }
            let right = "\(request.verb) \(request.kind)\(request.part.isEmpty ? "" : "/" + request.part)"
            if state.denied.contains(right) {
                return Self.refusal(
                    403, "Forbidden",
                    "\(request.kind) is forbidden: User \"system:serviceaccount:spile:spile\" cannot \(request.verb) "
                        + "resource \"\(request.kind)\" in API group \"\" in the namespace \"\(Self.namespace)\"")
            }
            if let index = state.faults.firstIndex(where: { $0.of.isEmpty || $0.of == right }) {
                let fault = state.faults.remove(at: index)
                if fault.happens { _ = handle(request, headers, &state) }
                return fault.answer
            }
            return handle(request, headers, &state)
        }
    }

    private func request(
        _ method: String, _ target: String, _ headers: [String: String], _ body: [UInt8]
    ) -> Request? {
        guard let parts = URLComponents(string: target) else { return nil }
        var path = parts.path.split(separator: "/").map(String.init)
        let root = path.first == "api" ? 2 : 3
        guard path.count > root + 2, path[root] == "namespaces", path[root + 1] == Self.namespace else { return nil }
        let group = path[1..<root].joined(separator: "/")
        path.removeFirst(root + 2)
        guard let kind = path.first, KubernetesFakeSchema.groups[kind] == group else { return nil }
        let query = Dictionary(
            (parts.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        let name = path.count > 1 ? path[1] : ""
        let verbs = [
            "GET": query["watch"] == "true" ? "watch" : name.isEmpty ? "list" : "get", "POST": "create",
            "PUT": "update", "PATCH": "patch", "DELETE": "delete",
        ]
        guard let verb = verbs[method], (name.isEmpty) == ["list", "watch", "create"].contains(verb) else { return nil }
        let token = headers["authorization"].flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil } ?? ""
        return Request(
            verb: verb, kind: kind, name: name, part: path.count > 2 ? path[2] : "", query: query,
            body: (try? SpecDocument.plainJSON(String(decoding: body, as: UTF8.self))) ?? .null, token: token)
    }

    private func handle(_ request: Request, _ headers: [String: String], _ state: inout State) -> Answer {
        do {
            if request.part == "log" { return answerLog(request, &state) }
            if !request.part.isEmpty { return Self.missing(request) }
            switch request.verb {
            case "get":
                guard let object = state.objects[request.kind]?[request.name] else { return Self.missing(request) }
                return .whole(status: 200, object)
            case "list": return try list(request, state)
            case "watch": return try watch(request, &state)
            case "create": return try create(request, &state)
            case "update": return try update(request, &state)
            case "patch":
                guard headers["content-type"] == "application/merge-patch+json" else {
                    return Self.refusal(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
                }
                return try patch(request, &state)
            default: return try delete(request, &state)
            }
        } catch let fault as KubernetesFakeFault {
            return Self.refusal(fault.status, fault.reason, fault.message)
        } catch {
            return Self.refusal(500, "InternalError", "\(error)")
        }
    }

    // MARK: Reading

    private func list(_ request: Request, _ state: State) throws -> Answer {
        let all = try (state.objects[request.kind] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
            .filter { try KubernetesFakeSelectors.match($0, request.query) }
        var start = 0
        if let rest = request.query["continue"] {
            let words = rest.split(separator: "-").compactMap { Int64($0) }
            guard words.count == 2, words[1] >= state.forgotten else {
                throw KubernetesFakeFault(410, "Expired", "The provided continue parameter is too old")
            }
            start = Int(words[0])
        }
        let limit = min(request.query["limit"].flatMap(Int.init) ?? Int.max, state.pageLength)
        let end = all.count - start > limit ? start + limit : all.count
        var meta: JSONValue = ["resourceVersion": "\(state.version)"]
        if end < all.count { meta = meta.merged(with: ["continue": "\(end)-\(state.version)"]) }
        return .whole(status: 200, ["kind": "List", "metadata": meta, "items": .array(Array(all[start..<end]))])
    }

    private func watch(_ request: Request, _ state: inout State) throws -> Answer {
        guard let from = request.query["resourceVersion"].flatMap(Int64.init),
            request.query["allowWatchBookmarks"] == "true", request.query["timeoutSeconds"] != nil
        else { throw KubernetesFakeFault(400, "BadRequest", "a watch names a version, bookmarks and an end") }
        if from < state.forgotten {
            throw KubernetesFakeFault(410, "Expired", "too old resource version: \(from) (\(state.forgotten))")
        }
        let (stream, watcher) = AsyncStream<Item>.makeStream()
        for change in state.history where change.version > from && change.kind == request.kind {
            guard try KubernetesFakeSelectors.match(change.object, request.query) else { continue }
            watcher.yield(
                .text(
                    JSONValue.object([
                        JSONMember("type", .string(change.type)), JSONMember("object", change.object),
                    ]).text + "\n"))
        }
        state.watchers.append(Watcher(kind: request.kind, query: request.query, stream: watcher))
        return .stream(stream)
    }

    // MARK: Writing

    /// Also beside one of its name where it does not take its place: ports come before names.
    private func check(_ kind: String, _ object: JSONValue, _ state: State, replacing name: String? = nil) throws {
        let others = (state.objects[kind] ?? [:]).values.filter { $0.name != name }
        try KubernetesFakeSchema.check(kind, object, beside: others)
    }

    private func create(_ request: Request, _ state: inout State) throws -> Answer {
        try check(request.kind, request.body, state)
        let name = request.body.name
        if state.objects[request.kind]?[name] != nil {
            throw KubernetesFakeFault(409, "AlreadyExists", "\(request.kind) \"\(name)\" already exists")
        }
        guard request.body.version.isEmpty else {
            throw KubernetesFakeFault(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        }
        var object = request.body
        if request.kind == "pods" { object = object.merged(with: ["status": ["phase": "Pending"]]) }
        if request.kind == "services" { object = object.merged(with: ["spec": ["clusterIP": "10.0.0.7"]]) }
        let stored = state.store(request.kind, object, isNew: true)
        if request.kind == "pods" {
            pods.put(stored)
            if state.runsPods {
                state.logs[name] = state.logs[name] ?? Log()
                let running: JSONValue = [
                    "status": [
                        "phase": "Running", "containerStatuses": [["name": "user", "state": ["running": [:]]]],
                    ]
                ]
                _ = state.store("pods", stored.merged(with: running), isNew: false)
            }
        }
        return .whole(status: 201, stored)
    }

    private func update(_ request: Request, _ state: inout State) throws -> Answer {
        try check(request.kind, request.body, state, replacing: request.name)
        guard let old = state.objects[request.kind]?[request.name] else { return Self.missing(request) }
        guard request.body.name == request.name, request.body.version == old.version else {
            throw KubernetesFakeFault(
                409, "Conflict",
                "Operation cannot be fulfilled on \(request.kind) \"\(request.name)\": the object has "
                    + "been modified; please apply your changes to the latest version and try again")
        }
        return .whole(status: 200, state.store(request.kind, request.body, isNew: false))
    }

    private func patch(_ request: Request, _ state: inout State) throws -> Answer {
        guard let old = state.objects[request.kind]?[request.name] else { return Self.missing(request) }
        if !request.body.version.isEmpty, request.body.version != old.version {
            throw KubernetesFakeFault(409, "Conflict", "the object has been modified")
        }
        let new = old.merged(with: request.body)
        try check(request.kind, new, state, replacing: request.name)
        if old["immutable"]?.bool == true, old["data"] != new["data"] {
            throw KubernetesFakeFault(422, "Invalid", "data: Forbidden: field is immutable when `immutable` is set")
        }
        return .whole(status: 200, state.store(request.kind, new, isNew: false))
    }

    private func delete(_ request: Request, _ state: inout State) throws -> Answer {
        guard request.body["kind"]?.string == "DeleteOptions", request.body["propagationPolicy"] == "Background" else {
            throw KubernetesFakeFault(400, "BadRequest", "DeleteOptions without a propagationPolicy")
        }
        guard let old = state.objects[request.kind]?[request.name] else { return Self.missing(request) }
        if let uid = request.body.at(path: "preconditions/uid")?.string, uid != old.uid {
            throw KubernetesFakeFault(409, "Conflict", "Precondition failed: UID in precondition: \(uid)")
        }
        var grace = request.body["gracePeriodSeconds"]?.integer
        deletions.put((request.kind, request.name, grace))
        let phase = old.at(path: "status/phase")?.string
        if request.kind != "pods" || ["Succeeded", "Failed"].contains(phase) { grace = 0 }
        let seconds = grace ?? old.at(path: "spec/terminationGracePeriodSeconds")?.integer ?? 30
        guard seconds > 0 else {
            state.remove(request.kind, request.name)
            return .whole(status: 200, old)
        }
        let before = old.at(path: "metadata/deletionGracePeriodSeconds")?.integer ?? .max
        let dying = old.merged(with: [
            "metadata": [
                "deletionTimestamp": .string(state.tick()),
                "deletionGracePeriodSeconds": .number("\(min(seconds, before))"),
            ]
        ])
        let stored = state.store("pods", dying, isNew: false)
        if state.endsPods { end(stored, &state) }
        return .whole(status: 200, stored)
    }

    /// SIGTERM has reached a program that does not care.
    private func end(_ pod: JSONValue, _ state: inout State) {
        for follower in state.logs[pod.name]?.followers ?? [] { follower.finish() }
        state.logs[pod.name]?.followers = []
        let ended: JSONValue = [
            "status": [
                "phase": "Failed",
                "containerStatuses": [
                    ["name": "user", "state": ["terminated": ["exitCode": 143, "reason": "Error"]]]
                ],
            ]
        ]
        _ = state.store("pods", pod.merged(with: ended), isNew: false)
        state.remove("pods", pod.name)
    }
}

struct KubernetesFakeFault: Error {
    var status: Int
    var reason: String
    var message: String
    init(_ status: Int, _ reason: String, _ message: String) {
        self.status = status
        self.reason = reason
        self.message = message
    }
}
