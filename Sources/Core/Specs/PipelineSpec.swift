/// A pipeline's effective spec as the server uses it: a typed view of the canonical JSON. Fields that nothing here acts
/// on stay in ``json`` only.
package struct PipelineSpec: Sendable {
    /// The canonical JSON this was read from.
    package var json: JSONValue
    package var project: ProjectKey
    package var name: String
    package var transform: TransformSpec?
    package var input: InputSpec?
    package var service: ServiceSpec?
    package var spout: SpoutSpec?
    /// 0 where the spec says nothing.
    package var parallelism: Int64
    package var outputBranch: String
    package var s3Out: Bool
    package var autoscaling: Bool
    package var description: String
    package var salt: String
    package var specCommit: String?
    /// Seconds; nil where the spec says nothing.
    package var maximumExpectedUptime: Double?

    package var key: PipelineKey { PipelineKey(project: project, name: name) }

    /// Reads canonical JSON, which has passed the schema.
    package init(_ json: JSONValue) {
        self.json = json
        project = ProjectKey(json["pipeline"]?["project"]?["name"]?.string ?? "")
        name = json["pipeline"]?["name"]?.string ?? ""
        transform = json["transform"].map(TransformSpec.init)
        input = json["input"].map(InputSpec.init)
        service = json["service"].map(ServiceSpec.init)
        spout = json["spout"].map { SpoutSpec(service: $0["service"].map(ServiceSpec.init)) }
        parallelism = json["parallelismSpec"]?["constant"]?.integer ?? 0
        outputBranch = json["outputBranch"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? SpecDefaults.outputBranch
        s3Out = json["s3Out"]?.bool ?? false
        autoscaling = json["autoscaling"]?.bool ?? false
        description = json["description"]?.string ?? ""
        salt = json["salt"]?.string ?? ""
        specCommit = json["specCommit"].map { $0["id"]?.string ?? "" }
        maximumExpectedUptime = json["maximumExpectedUptime"]?.string.flatMap(SpecDuration.init)?.seconds
    }

    /// Reads canonical JSON text, as the catalog keeps it.
    package init(canonical text: String) throws(SpileError) { self.init(try SpecDocument.read(text).json) }

    /// What it reads, left to right.
    package var inputLeaves: [InputLeaf] {
        get throws(SpileError) {
            guard let input else { return [] }
            return try InputTree(input, of: key).leaves
        }
    }

    /// The port that its code serves, if it does.
    package var exposed: ServiceSpec? { (spout == nil ? service : spout?.service).flatMap { $0.isEmpty ? nil : $0 } }

    /// A command without input, spout or service is run as a spout: an SDK drops an empty `spout` on the wire.
    package var kind: PipelineKind {
        if spout != nil { return .spout }
        if service != nil { return .service }
        if input == nil, let command = transform?.command, !command.isEmpty { return .spout }
        return .transform
    }
}

/// What code a pipeline runs.
package struct TransformSpec: Sendable, Equatable {
    package var image: String
    package var command: [String]
    /// Lines for the standard input.
    package var standardInput: [String]
    /// Variables in name order.
    package var environment: [String: String]
    package var secrets: [SecretSpec]
    package var user: String
    package var workingDirectory: String
    package var acceptedExitCodes: [Int64]

    package init(_ json: JSONValue) {
        image = json["image"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? SpecDefaults.image
        command = json["cmd"]?.elements.compactMap(\.string) ?? []
        standardInput = json["stdin"]?.elements.compactMap(\.string) ?? []
        environment = Dictionary(
            (json["env"]?.members ?? []).map { ($0.name, $0.value.string ?? "") }, uniquingKeysWith: { $1 })
        secrets = json["secrets"]?.elements.map(SecretSpec.init) ?? []
        user = json["user"]?.string ?? ""
        workingDirectory = json["workingDir"]?.string ?? ""
        acceptedExitCodes = json["acceptReturnCode"]?.elements.compactMap(\.integer) ?? []
    }
}

/// A secret that code is given as a variable or as files.
package struct SecretSpec: Sendable, Equatable {
    package var name: String
    package var key: String
    package var variable: String
    package var mountPath: String

    package init(_ json: JSONValue) {
        name = json["name"]?.string ?? ""
        key = json["key"]?.string ?? ""
        variable = json["envVar"]?.string ?? ""
        mountPath = json["mountPath"]?.string ?? ""
    }
}

/// How a pipeline's port is reached from outside.
package struct ServiceSpec: Sendable, Equatable {
    package var internalPort: Int64
    package var externalPort: Int64
    package var type: String

    package init(_ json: JSONValue) {
        internalPort = json["internalPort"]?.integer ?? 0
        externalPort = json["externalPort"]?.integer ?? 0
        type = json["type"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "NodePort"
    }

    /// Its type as a patch of the object that holds the service.
    package var typed: JSONValue {
        .object([JSONMember("service", .object([JSONMember("type", .string(type))]))])
    }

    /// Whether no port is named: what a client sends that must not send an empty spout, and means no service.
    package var isEmpty: Bool { internalPort == 0 && externalPort == 0 }
}

package struct SpoutSpec: Sendable, Equatable {
    package var service: ServiceSpec?
}

/// What a pipeline reads: a tree of sources. All kinds that the spec names are kept, so that a check can refuse two.
package struct InputSpec: Sendable {
    package enum Combination: String, Sendable, CaseIterable { case join, group, cross, union }

    package var pfs: JSONValue?
    package var cron: JSONValue?
    package var combined: [(Combination, [InputSpec])]

    package init(_ json: JSONValue) {
        pfs = json["pfs"]
        cron = json["cron"]
        combined = Combination.allCases.compactMap { combination in
            guard let value = json[combination.rawValue] else { return nil }
            return (combination, value.elements.map(InputSpec.init))
        }
    }
}
