import Core

/// The objects of one run as the API server takes them. Pure: the same pod gives the same text.
///
/// A run is a Pod that is never restarted, not a Deployment: each launch has a token and a number of its own, its exit
/// is told, and who restarts it is the supervisor. Names, labels and annotations are those of `pps.md` §5.1.
package struct KubernetesManifest: Sendable {
    package let pod: KubernetesPod
    package let options: KubernetesOptions
    let names: KubernetesNames

    /// Bytes that the values of one Secret may have.
    static let mostSecretBytes = 1 << 20
    static let toolFolder = "/pach-bin"
    static let fileFolder = "/pachctl"
    static let inputFile = ".stdin"

    package init(_ pod: KubernetesPod, options: KubernetesOptions) {
        self.pod = pod
        self.options = options
        names = KubernetesNames(pod.pipeline, version: pod.version, owner: options.owner)
    }

    private var number: String { pod.run.isEmpty ? "\(pod.epoch)" : "\(pod.epoch)-\(pod.run)" }
    package var podName: String { names.pod(number) }
    package var serviceName: String { names.service }

    // MARK: What all objects bear

    /// The spec's own labels, and those that it cannot override.
    var labels: [String: String] { pod.labels.merging(names.labels) { $1 } }

    var annotations: [String: String] {
        var fixed = ["pipelineName": pod.pipeline.name, "pipelineProject": pod.pipeline.project.name]
        if let version = pod.version { fixed["pipelineVersion"] = "\(version)" }
        if !pod.specCommit.isEmpty { fixed["specCommit"] = pod.specCommit }
        if !options.version.isEmpty { fixed["pachVersion"] = options.version }
        return pod.annotations.merging(fixed) { $1 }
    }

    func metadata(_ name: String, labels more: [String: String] = [:]) -> JSONValue {
        .present([
            "name": .string(name), "labels": .texts(labels.merging(more) { $1 }), "annotations": .texts(annotations),
        ])
    }

    // MARK: Secrets

    /// The Secrets that the pod needs before it is made: its files, variables and input, its secrets, its registry's
    /// credentials. None can be changed: a pod that has been fenced out sees no later launch's.
    ///
    /// Throws `failedPrecondition` where something is larger than a Secret can be.
    package func secrets() throws(SpileError) -> [JSONValue] {
        var result: [JSONValue] = []
        if !fileEntries.isEmpty {
            result.append(
                try secret(fileSecret, fileEntries.map { ($0.key, $0.bytes) }, app: pod.isSpout ? "spout" : "pipeline"))
        }
        for (index, mount) in pod.secretFiles.enumerated() {
            let entries = mount.files.enumerated().map { (Self.key($1.name, "file-\($0)"), $1.bytes) }
            result.append(try secret(secretName(index), entries, app: "pipeline"))
        }
        if !pod.registryConfig.isEmpty {
            result.append(
                try secret(
                    pullSecret, [(".dockerconfigjson", pod.registryConfig)], app: "pipeline",
                    type: "kubernetes.io/dockerconfigjson"))
        }
        return result
    }

    private func secret(
        _ name: String, _ entries: [(key: String, bytes: [UInt8])], app: String, type: String = "Opaque"
    ) throws(SpileError) -> JSONValue {
        let size = entries.reduce(0) { $0 + $1.bytes.count }
        if size > Self.mostSecretBytes {
            throw SpileError(
                .failedPrecondition,
                "files, variables and standard input of \(pod.pipeline) have \(size) bytes, and a Kubernetes Secret "
                    + "holds \(Self.mostSecretBytes)", remedy: "make transform.stdin, env or secrets smaller")
        }
        let data = entries.map { JSONMember($0.key, .string(Base64.encode($0.bytes))) }
        return .present([
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(name, labels: ["app": app]),
            "type": .string(type), "immutable": true, "data": .object(data),
        ])
    }

    /// A spout's has the name of the contract; where several runs may be about at once, each has its own.
    var fileSecret: String { pod.isSpout && pod.run.isEmpty ? names.clientSecret : podName }
    func secretName(_ index: Int) -> String { "\(podName)-s\(index)" }
    var pullSecret: String { "\(podName)-pull" }

    enum Entry {
        case file(String, mode: UInt32)
        case variable(String)
        case input
        /// The key by which the server knows the sidecar, and nobody else has.
        case sidecar
    }

    static let sidecarKey = "sidecar-key"

    /// What the pod's own Secret holds.
    var fileEntries: [(key: String, bytes: [UInt8], entry: Entry)] {
        var result: [(key: String, bytes: [UInt8], entry: Entry)] = []
        for (index, file) in pod.files.enumerated() {
            result.append(
                (Self.key(file.path, "file-\(index)"), file.bytes, .file(file.path, mode: Self.readable(file.mode))))
        }
        if !pod.standardInput.isEmpty { result.append(("input", pod.standardInput, .input)) }
        if let sidecar = pod.sidecar { result.append((Self.sidecarKey, Array(sidecar.key.utf8), .sidecar)) }
        for (index, variable) in variables.enumerated() {
            result.append(("env-\(index)", Array(variable.value.utf8), .variable(variable.name)))
        }
        return result
    }

    /// Whatever user the image runs as can read it.
    private static func readable(_ mode: UInt32) -> UInt32 {
        let owner = mode & 0o500
        return (owner | owner >> 3 | owner >> 6) | 0o444
    }

    /// A key of a Secret: the name itself where it can be one.
    static func key(_ name: String, _ other: String) -> String {
        let isKey = name.utf8.allSatisfy { NameRules.isAlphanumeric($0) || "-_.".utf8.contains($0) }
        let isTaken = ["input", sidecarKey, ".", ".."].contains(name) || name.hasPrefix("env-") || name.hasPrefix("..")
        return isKey && !isTaken && !name.isEmpty && name.utf8.count <= 253 ? name : other
    }

    /// Variables whose values do not stand in the pod: who may see pods sees no token, and Kubernetes expands no
    /// `$(…)`.
    var variables: [(name: String, value: String)] {
        var result = pod.environment.filter { !$0.name.isEmpty && !FarVariables.names.contains($0.name) }
        result += pod.secretFiles.map { ($0.variable, $0.path) }
        if let path = result.last(where: { $0.name == "PATH" })?.value, options.toolImage != nil {
            result.removeAll { $0.name == "PATH" }
            result.append(("PATH", "\(path):\(Self.toolFolder)"))
        }
        // The last one of a name wins.
        var seen: Set<String> = []
        return Array(result.reversed().filter { seen.insert($0.name).inserted }.reversed())
            + pod.fileVariables.map { ($0.name, "\(Self.fileFolder)/\($0.path)") }
    }

    // MARK: Service

    /// The Service of a pipeline whose code serves a port; nil without one (`pps.md` §4.2).
    package func service() -> JSONValue? {
        guard let port = pod.port else { return nil }
        return [
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(names.service),
            "spec": [
                "type": .string(port.type), "selector": .texts(names.labels) ?? [:],
                "ports": [
                    .present([
                        "name": "user-port", "protocol": "TCP", "port": .integer(port.outside),
                        "targetPort": .integer(port.inside),
                        "nodePort": port.type == "NodePort" ? .integer(port.outside) : nil,
                    ])
                ],
            ],
        ]
    }
}
