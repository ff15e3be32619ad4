import Core

/// What a Pod object says of its run.
struct KubernetesPodState: Sendable, Equatable {
    /// Why something waits, in the words of Kubernetes.
    struct Reason: Sendable, Equatable {
        var reason: String
        var message: String
        var text: String { message.isEmpty ? reason : "\(reason): \(message)" }
    }

    struct End: Sendable, Equatable {
        var code: Int32
        var signal: Int32
        var reason: String
        var message: String

        /// Engines tell of an end by a signal as shells do, by 128 and its number.
        var exit: LaunchExit {
            if signal > 0 { return .signalled(number: signal) }
            return 129...192 ~= code ? .signalled(number: code - 128) : .exited(code: code)
        }
    }

    var name: String
    var uid: String
    /// Whether its end has been asked for.
    var isEnding: Bool
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    var phase: String
    /// Whether the program runs, or has run.
    var hasStarted: Bool
    var end: End?
    /// Why the pod as a whole failed: `Evicted`, `NodeLost`, `DeadlineExceeded`.
    var failure: Reason?
    /// Why a container does not start.
    var waiting: Reason?
    /// Why no node takes it.
    var unschedulable: String?
    /// How the init container failed.
    var initFailure: Reason?

    init(_ pod: JSONValue) {
        let status = pod["status"]
        name = pod.at("metadata", "name")?.string ?? ""
        uid = pod.at("metadata", "uid")?.string ?? ""
        isEnding = pod.at("metadata", "deletionTimestamp") != nil
        phase = status?["phase"]?.string ?? "Pending"
        let user = status?["containerStatuses"]?.elements.first { $0["name"]?.string == "user" }
        let prepared = status?["initContainerStatuses"]?.elements ?? []
        // In a pod that restarts it, by a spec's own pod_spec, the program's end is the last one's.
        let ended = user?.at("state", "terminated") ?? user?.at("lastState", "terminated")
        end = ended.map {
            End(
                code: Int32(clamping: $0["exitCode"]?.integer ?? 0),
                signal: Int32(clamping: $0["signal"]?.integer ?? 0),
                reason: $0["reason"]?.string ?? "", message: $0["message"]?.string ?? "")
        }
        // What an engine could not start has ended too, at no time.
        let hadNoStart = ["ContainerCannotRun", "StartError", "CreateContainerError"].contains(end?.reason ?? "")
        hasStarted = user?.at("state", "running") != nil || end != nil && !hadNoStart
        let statuses = prepared + (status?["containerStatuses"]?.elements ?? [])
        waiting = statuses.compactMap { Self.reason($0.at("state", "waiting")) }.first { $0.reason != "" }
        unschedulable = status?["conditions"]?.elements.first {
            $0["type"]?.string == "PodScheduled" && $0["status"]?.string == "False"
                && $0["reason"]?.string == "Unschedulable"
        }.map { $0["message"]?.string ?? "" }
        failure = phase == "Failed" ? Self.reason(status) : nil
        initFailure =
            prepared.compactMap { status -> Reason? in
                guard let ended = status.at("state", "terminated"), ended["exitCode"]?.integer ?? 0 != 0 else {
                    return nil
                }
                let code = ended["exitCode"]?.integer ?? 0
                return Reason(
                    reason: "the init container ended with code \(code)", message: ended["message"]?.string ?? "")
            }.first
    }

    private static func reason(_ json: JSONValue?) -> Reason? {
        guard let json, let reason = json["reason"]?.string, !reason.isEmpty else { return nil }
        return Reason(reason: reason, message: json["message"]?.string ?? "")
    }

    /// Whether nothing of it runs any more, or ever will.
    var isOver: Bool { end != nil || phase == "Succeeded" || phase == "Failed" }

    /// How the run ended, where it has.
    var exit: LaunchExit { end?.exit ?? .unknown }

    /// What there is to say of an end beside its code; nil for nothing.
    var remark: String? {
        if end?.reason == "OOMKilled" {
            return "the container was ended because it used more than resource_limits.memory"
        }
        if let failure { return "the pod was ended: \(failure.text)" }
        return nil
    }

    /// Why the program cannot be started now; nil where it may yet be. What Kubernetes would try again for ever is told
    /// at once: who restarts launches is the supervisor.
    var startFault: Reason? {
        if let initFailure { return initFailure }
        if let end, !hasStarted { return Reason(reason: end.reason, message: end.message) }
        if !hasStarted, let failure { return failure }
        return waiting.flatMap { Self.lastingReasons.contains($0.reason) ? $0 : nil }
    }

    /// Reasons of the contract (`pps.md` §7), and others that do not pass by themselves.
    private static let lastingReasons: Set<String> = [
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
        "RegistryUnavailable", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
        "PostStartHookError", "CrashLoopBackOff",
    ]

    /// What can be done about a reason.
    static func remedy(_ reason: String) -> String {
        switch reason {
        case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable":
            "check transform.image and its tag, and transform.image_pull_secrets for a registry that asks who comes"
        case "InvalidImageName": "write transform.image as [registry/]name[:tag]"
        case "ErrImageNeverPull": "the node has no such image, and this server was told never to pull"
        case "ContainerCannotRun", "StartError", "RunContainerError":
            "transform.cmd[0] has to be a program of the image"
        case "Unschedulable":
            "no node has room for resource_requests, or fits scheduling_spec and tolerations"
        default: ""
        }
    }
}
