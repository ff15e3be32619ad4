import Core
import Logging
import Synchronization

/// Runs users' code as pods of a cluster: the image is honoured, services are Services, files and variables come by
/// Secrets.
///
/// Each run is a Pod that is never restarted and bears this server's label, by which a later server finds it. Pod and
/// Secrets are gone when the run is; a Service stays with its pipeline, so that its address and port stay what they
/// are, until ``forget(_:)``. Restarts, their pauses and what they are told are the supervisor's.
///
/// A pod's log does not tell the two output streams apart: all lines come as standard output.
package final class KubernetesLauncher: Launcher {
    let client: KubernetesClient
    let options: KubernetesOptions
    let logger: Logger
    private let runs = Mutex<[LaunchHandle: KubernetesRun]>([:])
    /// Names of pods that are being started: they are watched from then on.
    private let starting = Mutex<Set<String>>([])

    private static let mostTries = 5

    /// The launcher closes `client`, by ``close()``.
    package init(client: KubernetesClient, options: KubernetesOptions, logger: Logger) {
        self.client = client
        self.options = options
        self.logger = logger
    }

    package func publishesPort(of order: LaunchOrder) -> Bool { order.image?.port != nil }

    /// Which user the image or the spec means, the image alone knows.
    package func pfsOwner(of order: LaunchOrder) throws -> PfsOwner { .everybody }

    package func reachesLoopback(from order: LaunchOrder) -> Bool { false }

    /// Pods may run on any machine: a worker's files are its sidecar's.
    package func mountsFolders(of order: LaunchOrder) -> Bool { false }

    package func workerProgram(of order: LaunchOrder) -> String? {
        options.toolImage == nil ? nil : KubernetesManifest.toolFolder + "/spile"
    }

    /// Starts a run; returns once its program runs. What Kubernetes would try again for ever (an image that is not
    /// there, no node with room) is an error here, in its own words. Throws `permissionDenied` for a right that is
    /// missing.
    package func start(_ order: LaunchOrder) async throws -> LaunchHandle {
        let pod = try KubernetesPod(order, options: options)
        if let folder = pod.pfsFolder, !PosixFiles.isFolder(folder) {
            // A node would make an empty one.
            throw SpileError(.failedPrecondition, "there is no folder \(folder) to stand at /pfs")
        }
        let manifest = KubernetesManifest(pod, options: options)
        let (object, secrets) = (try manifest.podObject(), try manifest.secrets())
        let name = manifest.podName
        starting.withLock { _ = $0.insert(name) }
        defer { starting.withLock { _ = $0.remove(name) } }
        try await endOthers(manifest)
        do {
            for secret in secrets { try await replace(secret) }
            try await keep(manifest.service(), manifest)
            let made = KubernetesPodState(try await make(object))
            for secret in secrets { try await give(secret, to: made) }
            return try await begin(made, order)
        } catch {
            // No child task: what was made has to go also where the caller has been cancelled.
            await Task { await self.undo(name, secrets) }.value
            throw error
        }
    }

    private func begin(_ pod: KubernetesPodState, _ order: LaunchOrder) async throws -> LaunchHandle {
        let run = KubernetesRun(pod: pod, client: client, options: options, logger: logger, deliver: order.output)
        run.start()
        if let reason = await run.begin() { throw await fault(reason, pod) }
        if Task.isCancelled {
            await run.stop(grace: 0)
            throw CancellationError()
        }
        runs.withLock { $0[run.handle] = run }
        return run.handle
    }

    private func fault(_ reason: KubernetesPodState.Reason, _ pod: KubernetesPodState) async -> SpileError {
        var reason = reason
        if reason.message.isEmpty, let warning = try? await client.warning(about: pod.uid) { reason.message = warning }
        return SpileError(
            .failedPrecondition, "pod \(client.namespace)/\(pod.name): \(reason.text)",
            remedy: KubernetesPodState.remedy(reason.reason))
    }

    package func wait(_ handle: LaunchHandle) async throws -> LaunchExit {
        guard let run = runs.withLock({ $0[handle] }) else {
            throw SpileError.notFound("no pod \(handle) was started by this server")
        }
        let exit = await run.end()
        runs.withLock { $0[handle] = nil }
        return exit
    }

    package func isAlive(_ handle: LaunchHandle) async -> Bool {
        if let run = runs.withLock({ $0[handle] }) { return !run.isOver }
        guard let (name, uid) = Self.parts(handle), let pod = try? await client.get(.pod, name) else { return false }
        let state = KubernetesPodState(pod)
        return state.uid == uid && !state.isOver
    }

    package func stop(_ handle: LaunchHandle, grace: Double) async {
        if let run = runs.withLock({ $0[handle] }) {
            await run.stop(grace: grace)
        } else if let (name, uid) = Self.parts(handle) {
            await Task { await self.end(name, uid, grace: grace) }.value
        }
    }

    package func endLeftovers(grace: Double) async {
        let selector = KubernetesNames.selector(owner: options.owner)
        do {
            let pods = try await client.list(.pod, labels: selector).items.map(KubernetesPodState.init)
            if !pods.isEmpty {
                logger.notice("ending what an earlier server left running", metadata: ["pods": "\(pods.count)"])
            }
            await withDiscardingTaskGroup { group in
                for pod in pods { group.addTask { await self.end(pod.name, pod.uid, grace: grace) } }
            }
            for secret in try await client.list(.secret, labels: selector).items { try await remove(secret, .secret) }
        } catch {
            logger.warning("cannot look for pods of an earlier server", metadata: ["error": "\(error)"])
        }
    }

    package func close() async { await client.close() }

    private static func parts(_ handle: LaunchHandle) -> (name: String, uid: String)? {
        let parts = handle.text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty,
            KubernetesNames.plain(String(parts[0])) == parts[0]
        else { return nil }
        return (String(parts[0]), String(parts[1]))
    }

    // MARK: Objects of one launch

    /// Ends what an earlier launch of the pipeline may have left, so that it never runs beside a later one. Those of
    /// this server, of which a launch may have several at a time, are watched or being started.
    private func endOthers(_ manifest: KubernetesManifest) async throws {
        let found = try await client.list(.pod, labels: manifest.names.selector).items.map(KubernetesPodState.init)
        let own = ownPods
        for pod in found where !own.contains(pod.name) {
            try await client.remove(pod: pod.name, uid: pod.uid, grace: 0)
        }
    }

    /// Names of the pods that this server starts or watches.
    var ownPods: Set<String> {
        // In this order: what is no longer being started is watched already.
        let begun = starting.withLock { $0 }
        return begun.union(runs.withLock { $0.values.map(\.name) })
    }

    /// Makes the pod. One that a call made whose answer was lost is taken for this one; an older one of its name goes.
    private func make(_ object: JSONValue) async throws -> JSONValue {
        let mark = String(client.time.randomness.next(), radix: 36)
        let name = object.at("metadata", "name")?.string ?? ""
        let marked = object.merged(with: [
            "metadata": ["annotations": .object([JSONMember(KubernetesNames.tryAnnotation, .string(mark))])]
        ])
        for isLast in Self.lasts {
            do {
                return try await client.create(.pod, marked)
            } catch let error as SpileError where !isLast && [.alreadyExists, .unavailable].contains(error.code) {
                guard let pod = try await found(.pod, name) else {
                    try await client.time.sleep(client.time.pause(after: 1))
                    continue
                }
                if pod.at("metadata", "annotations", KubernetesNames.tryAnnotation)?.string == mark { return pod }
                try await client.remove(pod: name, uid: pod.at("metadata", "uid")?.string ?? "", grace: 0)
            }
        }
        throw SpileError.bug("a pod was neither made nor refused")
    }

    static let lasts = (1...mostTries).map { $0 == mostTries }

    func found(_ kind: KubernetesKind, _ name: String) async throws -> JSONValue? {
        do { return try await client.get(kind, name) } catch let error as SpileError where error.code == .notFound {
            return nil
        }
    }

    /// Makes a Secret anew, in place of one that an earlier launch left: none can be changed.
    private func replace(_ secret: JSONValue) async throws {
        let name = secret.at("metadata", "name")?.string ?? ""
        for isLast in Self.lasts {
            do {
                _ = try await client.create(.secret, secret)
                return
            } catch let error as SpileError where !isLast && [.alreadyExists, .unavailable].contains(error.code) {
                guard let old = try await found(.secret, name) else {
                    try await client.time.sleep(client.time.pause(after: 1))
                    continue
                }
                try own(old, like: secret, .secret)
                try await remove(old, .secret)
            }
        }
    }

    /// Lets a Secret go with its pod, whoever ends that.
    private func give(_ secret: JSONValue, to pod: KubernetesPodState) async throws {
        _ = try await client.patch(
            .secret, secret.at("metadata", "name")?.string ?? "",
            [
                "metadata": [
                    "ownerReferences": [
                        ["apiVersion": "v1", "kind": "Pod", "name": .string(pod.name), "uid": .string(pod.uid)]
                    ]
                ]
            ])
    }

    private func undo(_ pod: String, _ secrets: [JSONValue]) async {
        do {
            if let made = try await found(.pod, pod) {
                try await client.remove(pod: pod, uid: KubernetesPodState(made).uid, grace: 0)
            }
            for secret in secrets {
                // Another pipeline's by the same name stays.
                guard let old = try await found(.secret, secret.at("metadata", "name")?.string ?? ""),
                    (try? own(old, like: secret, .secret)) != nil
                else { continue }
                try await remove(old, .secret)
            }
        } catch {
            logger.warning("cannot remove what a failed start left", metadata: ["pod": "\(pod)", "error": "\(error)"])
        }
    }

    private func end(_ pod: String, _ uid: String, grace: Double) async {
        do { try await client.remove(pod: pod, uid: uid, grace: grace) } catch {
            logger.warning("cannot end a pod", metadata: ["pod": "\(pod)", "error": "\(error)"])
        }
    }
}
