import Core

extension KubernetesManifest {
    /// The Pod.
    ///
    /// Throws `failedPrecondition` for what no pod can do, and where `pod_spec` or `pod_patch` cannot be applied; the
    /// text names the operation.
    package func podObject() throws(SpileError) -> JSONValue {
        let metadata = metadata(podName, labels: [KubernetesNames.epochLabel: "\(pod.epoch)"])
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": try patched(try plainSpec())]
    }

    /// `pod_spec`, then `pod_patch` (`pps.md` §5.2).
    private func patched(_ spec: JSONValue) throws(SpileError) -> JSONValue {
        var spec = spec
        if let more = pod.podSpec {
            guard case .object = more else {
                throw SpileError(.failedPrecondition, "pod_spec: it has to be an object")
            }
            spec = spec.merged(with: more)
        }
        guard let patch = pod.podPatch else { return spec }
        do throws(SpileError) {
            return try JSONPatch(patch).apply(to: spec)
        } catch {
            throw SpileError(.failedPrecondition, "pod_patch: \(error.message)", remedy: error.remedy)
        }
    }

    private func plainSpec() throws(SpileError) -> JSONValue {
        let identity = try KubernetesIdentity(pod.user)
        return .present([
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": .integer(options.grace),
            // Its first process is then the pod's, which reaps orphans, and not the program, which would be deaf to
            // every signal it does not catch. A worker sees to both, and its code must not see the sidecar.
            "shareProcessNamespace": .bool(pod.sidecar == nil),
            "automountServiceAccountToken": false,
            "serviceAccountName": options.serviceAccount.map { .string($0) },
            "imagePullSecrets": .list(pullSecrets.map { ["name": .string($0)] }),
            "nodeSelector": .texts(pod.nodeSelector),
            "priorityClassName": pod.priorityClass.isEmpty ? nil : .string(pod.priorityClass),
            "tolerations": .list(pod.tolerations),
            "securityContext": identity?.podContext,
            "initContainers": options.toolImage.map { .array([initContainer($0)]) },
            "containers": .array([try userContainer(identity)] + (try sidecarContainer(identity).map { [$0] } ?? [])),
            "volumes": .list(try volumes()),
        ])
    }

    private var pullSecrets: [String] {
        (pod.registryConfig.isEmpty ? [] : [pullSecret]) + options.imagePullSecrets
    }

    // MARK: Containers

    /// Brings `spile`, which answers to `pachctl` too.
    private func initContainer(_ image: String) -> JSONValue {
        let folder = Self.toolFolder
        return .present([
            "name": "init", "image": .string(image), "imagePullPolicy": .string(options.pull.rawValue),
            // The image needs no shell: the program copies itself.
            "command": [
                .string(Self.unexpanded(KubernetesOptions.toolBinary)), .string(ToolFolder.command), .string(folder),
            ],
            "resources": .present([
                "requests": pod.requests?.withoutDevices.json, "limits": pod.limits?.withoutDevices.json,
            ]),
            "volumeMounts": [["name": "pach-bin", "mountPath": .string(folder)]],
        ])
    }

    private func userContainer(_ identity: KubernetesIdentity?) throws(SpileError) -> JSONValue {
        .present([
            "name": "user", "image": .string(pod.image), "imagePullPolicy": .string(options.pull.rawValue),
            "command": .array(command.map { .string(Self.unexpanded($0)) }),
            "workingDir": pod.workingDirectory.isEmpty ? nil : .string(pod.workingDirectory),
            "env": .array(environment),
            "ports": pod.port.map { [["name": "user-port", "containerPort": .integer($0.inside)]] },
            "resources": .present(["requests": pod.requests?.json, "limits": pod.limits?.json]),
            "securityContext": identity?.containerContext,
            "volumeMounts": .array(try mounts()),
        ])
    }

    /// What has the files at `/pfs` of a worker in hand (`pps.md` §5.2). Its key comes by the pod's Secret, of which
    /// the code's container is given other entries alone.
    private func sidecarContainer(_ identity: KubernetesIdentity?) throws(SpileError) -> JSONValue? {
        guard let sidecar = pod.sidecar else { return nil }
        guard let image = options.toolImage else { throw SpileError.bug("a sidecar has no image") }
        return .present([
            "name": "storage", "image": .string(image), "imagePullPolicy": .string(options.pull.rawValue),
            "command": [.string(Self.unexpanded(KubernetesOptions.toolBinary)), .string(LaunchSidecar.command)],
            "env": [
                ["name": .string(LaunchSidecar.hostVariable), "value": .string(sidecar.host)],
                ["name": .string(LaunchSidecar.portVariable), "value": .string("\(sidecar.port)")],
                [
                    "name": .string(LaunchSidecar.keyVariable),
                    "valueFrom": ["secretKeyRef": ["name": .string(fileSecret), "key": .string(Self.sidecarKey)]],
                ],
            ],
            "resources": .present(["requests": pod.sidecarRequests?.json, "limits": pod.sidecarLimits?.json]),
            "securityContext": (identity ?? .sidecar).containerContext,
            "volumeMounts": [["name": "pachyderm-worker", "mountPath": "/pfs"]],
        ])
    }

    /// Kubernetes reads `$(NAME)` in commands as a variable, and two dollars as one.
    static func unexpanded(_ text: String) -> String {
        text.split(separator: "$", omittingEmptySubsequences: false).joined(separator: "$$")
    }

    /// The words of the container, in place of its image's entry point (`pps.md` §5.2).
    ///
    /// A standard input is a file, which a shell opens: the one that is the command, or else the image's. A shell also
    /// finds `pachctl` behind the image's own PATH.
    var command: [String] {
        let isShell = Self.shells.contains(pod.command.first?.split(separator: "/").last.map(String.init) ?? "")
        let extendsPath = isShell && options.toolImage != nil && !pod.environment.contains { $0.name == "PATH" }
        if pod.standardInput.isEmpty, !extendsPath { return pod.command }
        var script = extendsPath ? "export PATH=\"$PATH:\(Self.toolFolder)\"; " : ""
        script += "exec \"$0\" \"$@\""
        if !pod.standardInput.isEmpty { script += " < \(Self.fileFolder)/\(Self.inputFile)" }
        return [isShell ? pod.command[0] : "/bin/sh", "-c", script] + pod.command
    }

    private static let shells: Set<String> = ["sh", "bash", "ash", "dash", "ksh", "zsh"]

    /// Later ones win: the pod's own words stand last.
    private var environment: [JSONValue] {
        var result: [JSONValue] = fileEntries.compactMap { key, _, entry in
            guard case .variable(let name) = entry else { return nil }
            return [
                "name": .string(name),
                "valueFrom": ["secretKeyRef": ["name": .string(fileSecret), "key": .string(key)]],
            ]
        }
        for (name, field) in [
            ("PACH_NAMESPACE", "metadata.namespace"), ("PPS_POD_NAME", "metadata.name"),
            ("PPS_WORKER_IP", "status.podIP"),
        ] {
            result.append(["name": .string(name), "valueFrom": ["fieldRef": ["fieldPath": .string(field)]]])
        }
        return result
    }

    // MARK: Volumes

    private var items: [JSONValue] {
        fileEntries.compactMap { key, _, entry in
            switch entry {
            case .file(let path, let mode):
                ["key": .string(key), "path": .string(path), "mode": .integer(mode)]
            case .input: ["key": .string(key), "path": .string(Self.inputFile)]
            case .variable, .sidecar: nil
            }
        }
    }

    private func volumes() throws(SpileError) -> [JSONValue] {
        var result: [JSONValue] = [
            ["name": "pach-dir-volume", "emptyDir": [:]], ["name": "user-tmp", "emptyDir": [:]],
        ]
        if options.toolImage != nil { result.append(["name": "pach-bin", "emptyDir": [:]]) }
        if pod.pfsFolder != nil {
            let claim = try shared().claim
            result.append(["name": "pachyderm-worker", "persistentVolumeClaim": ["claimName": .string(claim)]])
        } else {
            result.append([
                "name": "pachyderm-worker", "emptyDir": pod.usesMemory ? ["medium": "Memory"] : [:],
            ])
        }
        if !items.isEmpty {
            result.append([
                "name": "pachyderm-pachctl-secret",
                "secret": [
                    "secretName": .string(fileSecret), "defaultMode": .integer(0o444), "items": .array(items),
                    "optional": false,
                ],
            ])
        }
        for (index, mount) in pod.secretFiles.enumerated() {
            let items = mount.files.enumerated().map { number, file -> JSONValue in
                ["key": .string(Self.key(file.name, "file-\(number)")), "path": .string(file.name)]
            }
            result.append([
                "name": .string(volume(mount, index)),
                "secret": [
                    "secretName": .string(secretName(index)), "defaultMode": .integer(0o444), "items": .array(items),
                    "optional": false,
                ],
            ])
        }
        return result
    }

    private func mounts() throws(SpileError) -> [JSONValue] {
        var result: [JSONValue] = [
            ["name": "pach-dir-volume", "mountPath": "/pach"], ["name": "user-tmp", "mountPath": "/tmp"],
        ]
        if options.toolImage != nil {
            result.append(["name": "pach-bin", "mountPath": .string(Self.toolFolder), "readOnly": true])
        }
        let part = try pod.pfsFolder.map { folder throws(SpileError) in try subPath(folder) }
        result.append(
            .present(["name": "pachyderm-worker", "mountPath": "/pfs", "subPath": part.map { .string($0) }]))
        if !items.isEmpty {
            result.append([
                "name": "pachyderm-pachctl-secret", "mountPath": .string(Self.fileFolder), "readOnly": true,
            ])
        }
        for (index, mount) in pod.secretFiles.enumerated() {
            result.append([
                "name": .string(volume(mount, index)), "mountPath": .string(mount.path), "readOnly": true,
            ])
        }
        return result
    }

    /// A secret's volume has its name, where a volume can have it and no other has.
    private func volume(_ mount: LaunchMount, _ index: Int) -> String {
        let name = mount.secret
        let isFirst = pod.secretFiles.firstIndex { $0.secret == name } == index
        let isTaken = ["pach-bin", "pach-dir-volume", "user-tmp", "pachyderm-worker", "pachyderm-pachctl-secret"]
            .contains(name)
        let isPlain = KubernetesNames.plain(name) == name && name.utf8.count <= 63
        return isFirst && isPlain && !isTaken ? name : "secret-\(index)"
    }

    private func shared() throws(SpileError) -> KubernetesOptions.SharedFolder {
        guard let shared = options.sharedFolder else {
            throw SpileError(
                .failedPrecondition,
                "\(pod.pipeline) reads files at /pfs, and pods of this server share no volume with it",
                remedy: "give the server a ReadWriteMany claim for its data, or let the pipeline's annotation "
                    + "spile.io/launcher name another launcher")
        }
        return shared
    }

    private func subPath(_ folder: String) throws(SpileError) -> String {
        let shared = try shared()
        let root = shared.path.hasSuffix("/") ? shared.path : shared.path + "/"
        guard folder.hasPrefix(root) else {
            throw SpileError(
                .failedPrecondition, "the folder \(folder) is not in the volume that pods share, \(shared.path)",
                remedy: "let the server keep its data there")
        }
        return String(folder.dropFirst(root.count))
    }
}

/// `transform.user` where it is numbers: then the container is closed to all it does not need (`pps.md` §5.2).
struct KubernetesIdentity {
    let user: Int64
    let group: Int64

    /// Whom a sidecar runs as where nobody knows the code's user.
    static let sidecar = KubernetesIdentity(user: 1000, group: 1000)

    private init(user: Int64, group: Int64) {
        self.user = user
        self.group = group
    }

    /// Nil for an empty text: the image's own user. Throws `failedPrecondition` for a name, which the image alone
    /// knows.
    init?(_ text: String) throws(SpileError) {
        if text.isEmpty { return nil }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { UInt32($0) }.map(Int64.init)
        guard numbers.count == parts.count, let user = numbers.first else {
            throw SpileError(
                .failedPrecondition, "transform.user \"\(text)\": in Kubernetes a user is a number",
                remedy: "write uid or uid:gid, or leave it out to run as the image's user")
        }
        self.user = user
        group = numbers.count > 1 ? numbers[1] : user
    }

    var podContext: JSONValue {
        [
            "runAsUser": .integer(user), "runAsGroup": .integer(group), "fsGroup": .integer(group),
            "runAsNonRoot": .bool(user != 0), "seccompProfile": ["type": "RuntimeDefault"],
        ]
    }

    var containerContext: JSONValue {
        [
            "runAsUser": .integer(user), "runAsGroup": .integer(group), "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true, "capabilities": ["drop": ["ALL"]],
        ]
    }
}
