import Core

@testable import Backends

/// What a node does with a pod, said by the test.
extension KubernetesFake {
    /// Its program runs.
    func run(_ pod: String) {
        state.withLock { $0.logs[pod] = $0.logs[pod] ?? Log() }
        setState(pod, phase: "Running", ["running": ["startedAt": "2027-01-15T08:00:00Z"]])
    }

    /// Its program ends; the pod stays until it is deleted.
    func end(_ pod: String, code: Int64, reason: String = "", signal: Int64? = nil) {
        endLog(pod)
        setState(
            pod, phase: code == 0 ? "Succeeded" : "Failed",
            [
                "terminated": .present([
                    "exitCode": .number("\(code)"), "reason": .string(reason.isEmpty ? "Error" : reason),
                    "signal": signal.map { .number("\($0)") },
                ])
            ])
    }

    /// A container waits, for a reason of Kubernetes.
    func hold(_ pod: String, reason: String, message: String = "") {
        setState(
            pod, phase: "Pending",
            ["waiting": .present(["reason": .string(reason), "message": message.isEmpty ? nil : .string(message)])])
    }

    func cannotSchedule(_ pod: String, _ message: String) {
        change(
            "pods", pod,
            [
                "status": [
                    "phase": "Pending",
                    "conditions": [
                        [
                            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                            "message": .string(message),
                        ]
                    ],
                ]
            ])
    }

    private func setState(_ pod: String, phase: String, _ container: JSONValue) {
        change(
            "pods", pod,
            [
                "status": [
                    "phase": .string(phase),
                    "containerStatuses": [["name": "user", "restartCount": 0, "state": container]],
                ]
            ])
    }

    /// A pod that is being deleted is gone, its program having ended with `code`.
    func finish(_ pod: String, code: Int64) {
        end(pod, code: code)
        remove("pods", pod)
    }

    // MARK: Logs

    /// Its program prints a line; `time` nil stands for a later one than before.
    func print(_ pod: String, _ text: String, at time: String? = nil) {
        state.withLock { state in
            let time = time ?? state.tick()
            state.logs[pod, default: Log()].lines.append((time, text))
            for follower in state.logs[pod]?.followers ?? [] { follower.yield(.text("\(time) \(text)\n")) }
        }
    }

    /// Cuts the streams of a pod's log, after some bytes of a line that will come whole later.
    func cutLog(_ pod: String, after half: String = "") {
        let followers = state.withLock { state in
            defer { state.logs[pod]?.followers = [] }
            return state.logs[pod]?.followers ?? []
        }
        for follower in followers {
            if !half.isEmpty { follower.yield(.text(half)) }
            follower.yield(.cut)
            follower.finish()
        }
    }

    func endLog(_ pod: String) {
        let followers = state.withLock { state in
            defer { state.logs[pod]?.followers = [] }
            state.logs[pod, default: Log()].isOver = true
            return state.logs[pod]?.followers ?? []
        }
        for follower in followers { follower.finish() }
    }

    func answerLog(_ request: Request, _ state: inout State) -> Answer {
        guard let pod = state.objects["pods"]?[request.name] else { return Self.missing(request) }
        guard request.query["container"] == "user", request.query["timestamps"] == "true" else {
            return Self.refusal(400, "BadRequest", "a container name must be specified, and timestamps")
        }
        let container = pod.at(path: "status/containerStatuses/0/state")
        guard container?["running"] != nil || container?["terminated"] != nil else {
            return Self.refusal(
                400, "BadRequest",
                "container \"user\" in pod \"\(request.name)\" is waiting to start: ContainerCreating")
        }
        let (stream, follower) = AsyncStream<Item>.makeStream()
        let log = state.logs[request.name] ?? Log()
        let since = request.query["sinceTime"].flatMap(SpecTimestamp.parse)
        if let text = request.query["sinceTime"], text.count != 20 {
            return Self.refusal(400, "BadRequest", "sinceTime \(text) has no whole seconds")
        }
        for line in log.lines {
            if let since, let time = SpecTimestamp.parse(line.time), time < since { continue }
            follower.yield(.text("\(line.time) \(line.text)\n"))
        }
        if log.isOver || request.query["follow"] != "true" {
            follower.finish()
        } else {
            state.logs[request.name, default: Log()].followers.append(follower)
        }
        return .stream(stream)
    }
}
