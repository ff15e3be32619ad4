import Core

/// Everything that the objects of one run are made from: what an order says, and what a pipeline's spec says beside it.
package struct KubernetesPod: Sendable {
    /// A port of the code, and how others reach it (`pps.md` §4.2).
    package struct Port: Sendable, Equatable {
        package var inside: Int
        package var outside: Int
        /// `ClusterIP`, `NodePort` or `LoadBalancer`.
        package var type: String
        package init(inside: Int, outside: Int, type: String) {
            self.inside = inside
            self.outside = outside
            self.type = type
        }
    }

    package var pipeline: PipelineKey
    package var epoch: Int64
    package var run: String
    /// Of the pipeline; nil where nobody told.
    package var version: Int64?
    package var specCommit = ""
    /// Whether objects get the names that the contract has for spouts.
    package var isSpout: Bool
    package var image: String
    package var command: [String]
    package var standardInput: [UInt8]
    package var environment: [(name: String, value: String)]
    package var fileVariables: [(name: String, path: String)]
    package var workingDirectory: String
    /// `uid[:gid]`; empty for the image's own.
    package var user: String
    package var files: [(path: String, bytes: [UInt8], mode: UInt32)]
    package var secretFiles: [LaunchMount]
    package var registryConfig: [UInt8]
    package var pfsFolder: String?
    /// What has the files of a worker in hand; nil for what is none.
    package var sidecar: LaunchSidecar?
    package var sidecarRequests: KubernetesResources?
    package var sidecarLimits: KubernetesResources?
    /// Whether `/pfs` lies in memory.
    package var usesMemory = false
    package var labels: [String: String]
    package var annotations: [String: String] = [:]
    package var requests: KubernetesResources?
    package var limits: KubernetesResources?
    package var nodeSelector: [String: String] = [:]
    package var priorityClass = ""
    /// As a pod has them.
    package var tolerations: [JSONValue] = []
    package var port: Port?
    /// Merged into the pod's spec (RFC 7396), before ``podPatch`` changes it (RFC 6902).
    package var podSpec: JSONValue?
    package var podPatch: JSONValue?

    /// What an order says, and the spec in it. Throws `failedPrecondition` for one without a command or an image, and
    /// where `pod_spec` or `pod_patch` cannot be read.
    package init(_ order: LaunchOrder, options: KubernetesOptions) throws(SpileError) {
        if order.command.isEmpty { throw SpileError(.failedPrecondition, "nothing to run: no transform.cmd") }
        guard let image = order.image else {
            throw SpileError(.failedPrecondition, "nothing to run in: no transform.image")
        }
        pipeline = order.pipeline
        epoch = order.epoch
        run = order.run
        isSpout = order.run.isEmpty && order.pfsFolder == nil
        self.image = image.name
        command = order.command
        standardInput = order.standardInput
        environment = image.environment
        fileVariables = order.fileVariables
        workingDirectory = order.workingDirectory
        user = order.user
        files = order.files
        secretFiles = order.secretFiles
        registryConfig = image.registryConfig
        pfsFolder = order.pfsFolder
        sidecar = order.sidecar
        labels = Dictionary(image.labels.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        if image.memoryLimit != nil || image.processorLimit != nil {
            limits = KubernetesResources(
                processors: image.processorLimit, memory: image.memoryLimit.map { "\($0)" })
        }
        port = image.port.map {
            Port(
                inside: $0.internalPort, outside: $0.externalPort,
                type: $0.isLocal ? "ClusterIP" : "NodePort")
        }
        if let version = order.version { try refine(by: version) }
    }

    /// Adds what a spec says beside its order: version, resources, scheduling, tolerations, annotations, the service's
    /// type, `pod_spec` and `pod_patch`.
    private mutating func refine(by version: LaunchVersion) throws(SpileError) {
        let spec = version.spec
        self.version = version.number
        specCommit = "\(version.specCommit)"
        isSpout = spec.kind == .spout
        let (asked, most) = (spec.json["resourceRequests"], spec.json["resourceLimits"])
        requests = asked.map(KubernetesResources.init(spec:)) ?? (most == nil ? KubernetesOptions.defaultRequests : nil)
        limits = most.map(KubernetesResources.init(spec:))
        sidecarRequests =
            spec.json["sidecarResourceRequests"].map(KubernetesResources.init(spec:)) ?? KubernetesResources.sidecar
        sidecarLimits = spec.json["sidecarResourceLimits"].map(KubernetesResources.init(spec:))
        nodeSelector = Self.texts(spec.json.at("schedulingSpec", "nodeSelector"))
        priorityClass = spec.json.at("schedulingSpec", "priorityClassName")?.string ?? ""
        tolerations = (spec.json["tolerations"]?.elements ?? []).map(Self.toleration)
        annotations = Self.texts(spec.json.at("metadata", "annotations"))
        usesMemory = spec.json.at("transform", "memoryVolume")?.bool ?? false
        if let service = spec.exposed { port?.type = service.type }
        podSpec = try Self.json(spec.json["podSpec"], "pod_spec")
        podPatch = try Self.json(spec.json["podPatch"], "pod_patch")
    }

    private static func texts(_ json: JSONValue?) -> [String: String] {
        Dictionary((json?.members ?? []).map { ($0.name, $0.value.string ?? "") }, uniquingKeysWith: { $1 })
    }

    private static func json(_ value: JSONValue?, _ field: String) throws(SpileError) -> JSONValue? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        do { return try SpecDocument.plainJSON(text) } catch {
            throw SpileError(.failedPrecondition, "\(field) is not JSON: \(error)")
        }
    }

    /// A spec's toleration as a pod has it: names of enums in the words of Kubernetes.
    private static func toleration(_ spec: JSONValue) -> JSONValue {
        let operators = ["EXISTS": "Exists", "EQUAL": "Equal"]
        let effects = [
            "NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute",
        ]
        func text(_ name: String) -> JSONValue? {
            spec[name]?.string.flatMap { $0.isEmpty ? nil : .string($0) }
        }
        return .present([
            "key": text("key"), "operator": spec["operator"]?.string.flatMap { operators[$0] }.map { .string($0) },
            "value": text("value"), "effect": spec["effect"]?.string.flatMap { effects[$0] }.map { .string($0) },
            "tolerationSeconds": spec["tolerationSeconds"]?.integer.map { .integer($0) },
        ])
    }
}
