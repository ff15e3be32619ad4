import Core

/// Where the server is, as users' code sees it.
package struct LaunchSite: Sendable {
    /// The host and port at which the server listens for ordinary calls, reachable from the code.
    package var host: String
    package var port: Int
    /// The folder that holds `pachctl`; appended to PATH.
    package var toolFolder: String
    /// The server's deployment id, for the clients' config file; empty to leave it out.
    package var deploymentID: String
    /// What the code inherits of the server's own environment: PATH, HOME, LANG, TZ.
    package var baseEnvironment: [String: String]
    /// The launcher of pipelines that ask for none.
    package var usual: LauncherKind
    /// Where code of a launcher finds the server that does not find it at ``host``.
    package var elsewhere: [LauncherKind: LaunchAddress]

    package init(
        host: String, port: Int, toolFolder: String, deploymentID: String = "", baseEnvironment: [String: String],
        usual: LauncherKind = .process, elsewhere: [LauncherKind: LaunchAddress] = [:]
    ) {
        self.host = host
        self.port = port
        self.toolFolder = toolFolder
        self.deploymentID = deploymentID
        self.baseEnvironment = baseEnvironment.filter { Self.inherited.contains($0.key) }
        self.usual = usual
        self.elsewhere = elsewhere
    }

    /// The same as code of one launcher sees it; `kind` is what its pipeline asks for.
    func seen(by kind: LauncherKind?) -> LaunchSite {
        guard let address = elsewhere[kind ?? usual] else { return self }
        var site = self
        site.host = address.host
        site.port = address.port ?? port
        return site
    }

    private static let inherited: Set = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"]
}

/// Where a server is found.
package struct LaunchAddress: Sendable, Equatable {
    package var host: String
    /// Nil for the port that the server listens on.
    package var port: Int?

    package init(host: String, port: Int? = nil) {
        self.host = host
        self.port = port
    }
}

/// What one launch gets: command, environment and files (`pps.md` §3.5, §3.7, §6.1).
package struct LaunchPlan: Sendable {
    package var pipeline: PipelineRecord
    package var spec: PipelineSpec
    package var epoch: Int64
    package var token: String
    package var site: LaunchSite
    /// Where an earlier launch got to.
    package var position: SpoutPosition
    /// What tells a service's code of its input.
    package var inputVariables: [String: String] = [:]
    /// The port of loopback where batching code asks for its datums; where there is none, the contract's own number.
    package var workerPort = 1080
    /// The secrets that the spec names, opened.
    package var secrets = LaunchSecrets()

    package init(
        pipeline: PipelineRecord, epoch: Int64, token: String, site: LaunchSite,
        position: SpoutPosition = SpoutPosition()
    ) throws(SpileError) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.token = token
        self.position = position
        spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
        self.site = site.seen(by: spec.launcherName.flatMap(LauncherKind.init))
    }

    /// Names the launch in logs and in `PPS_POD_NAME`.
    package static func worker(_ pipeline: PipelineRecord, epoch: Int64) -> String {
        "\(pipeline.key.project)-\(pipeline.key.name)-v\(pipeline.version)-\(epoch)"
    }

    /// Why a version can never run; nil for one that can.
    package static func fault(_ spec: PipelineSpec) -> String? {
        if spec.service != nil, spec.spout != nil { return "only one of pipeline.service or pipeline.spout can be set" }
        if let uptime = spec.maximumExpectedUptime, uptime != 0, !spec.autoscaling {
            return "autoscaling must be true when max_expected_uptime is non-zero"
        }
        if spec.transform?.command.isEmpty ?? true { return "nothing to run: no transform.cmd" }
        if let name = spec.launcherName, LauncherKind(rawValue: name) == nil {
            return "metadata.annotations: there is no launcher \"\(name)\", only "
                + LauncherKind.allCases.map(\.rawValue).joined(separator: ", ")
        }
        return nil
    }

    package func order(output: @escaping @Sendable (LaunchOutput) -> Void) -> LaunchOrder {
        let transform = spec.transform
        var order = LaunchOrder(
            pipeline: pipeline.key, epoch: epoch, command: transform?.command ?? [],
            standardInput: Self.input(transform?.standardInput ?? []),
            environment: environment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            workingDirectory: transform?.workingDirectory ?? "", user: transform?.user ?? "",
            files: [
                (path: Self.configFile, bytes: Array(config.text.utf8), mode: 0o600),
                (path: Self.resumeFile, bytes: Array(position.json.text.utf8), mode: 0o600),
            ],
            fileVariables: [
                (name: "PACH_CONFIG", path: Self.configFile), (name: "SPILE_RESUME_FILE", path: Self.resumeFile),
            ], output: output)
        order.image = image
        order.launcher = spec.launcherName.flatMap(LauncherKind.init)
        order.secretFiles = secrets.mounts
        order.version = LaunchVersion(number: pipeline.version, specCommit: pipeline.specCommit, spec: spec)
        return order
    }

    /// What code reads whose spec gives it these lines.
    static func input(_ lines: [String]) -> [UInt8] {
        lines.isEmpty ? [] : Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// The port that the code serves, if it does (`pps.md` §4.2).
    package var exposure: Exposure? {
        guard let service = spec.exposed else { return nil }
        return Exposure(
            pipeline: pipeline.key, internalPort: Int(service.internalPort), externalPort: Int(service.externalPort),
            isLocal: service.type == "ClusterIP")
    }

    /// The same in an image: its own variables take the place of this machine's.
    private var image: LaunchImage {
        let variables = specEnvironment.merging(fixedEnvironment) { $1 }
            .filter { $0.key != "PATH" || !$0.value.isEmpty }
        return LaunchImage(
            name: spec.transform?.image ?? SpecDefaults.image,
            environment: variables.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            memoryLimit: spec.memoryLimit, processorLimit: spec.processorLimit,
            labels: spec.labels.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            port: exposure)
    }

    /// What the spec sets, and over it its secrets.
    private var specEnvironment: [String: String] {
        (spec.transform?.environment ?? [:]).merging(secrets.variables) { $1 }
    }

    private static let configFile = "config.json"
    private static let resumeFile = "resume.json"

    /// Basics, then what the spec sets, then its secrets, then what the contract fixes: later ones win.
    package var environment: [String: String] {
        var result = site.baseEnvironment
        for (name, value) in specEnvironment { result[name] = value }
        let path = result["PATH"].flatMap { $0.isEmpty ? nil : $0 } ?? "/usr/local/bin:/usr/bin:/bin"
        result["PATH"] = path + ":" + site.toolFolder
        return result.merging(fixedEnvironment) { $1 }
    }

    /// What differs from launch to launch and from datum to datum, and wins over all else.
    var fixedEnvironment: [String: String] {
        let fixed = [
            "PACH_IN_WORKER": "true",
            "PACH_NAMESPACE": "default",
            "PACH_PYTHON_AUTH_TOKEN": token,
            "PACHD_SERVICE_HOST": site.host,
            "PACHD_SERVICE_PORT": "\(site.port)",
            "PACHD_PEER_SERVICE_HOST": site.host,
            "PACHD_PEER_SERVICE_PORT": "\(site.port)",
            "PEER_PORT": "\(site.port)",
            "PPS_PROJECT_NAME": pipeline.key.project.name,
            "PPS_PIPELINE_NAME": pipeline.key.name,
            "PPS_SPEC_COMMIT": "\(pipeline.specCommit)",
            "PPS_POD_NAME": Self.worker(pipeline, epoch: epoch),
            "PPS_WORKER_IP": "127.0.0.1",
            "PPS_WORKER_GRPC_PORT": "\(workerPort)",
        ]
        return inputVariables.merging(fixed) { $1 }
    }

    /// The clients' config file: only keys that the Python SDK takes.
    private var config: JSONValue {
        let host = site.host.contains(":") ? "[\(site.host)]" : site.host
        var context = [
            JSONMember("pachd_address", .string("grpc://\(host):\(site.port)")),
            JSONMember("session_token", .string(token)),
            JSONMember("project", .string(pipeline.key.project.name)),
        ]
        if !site.deploymentID.isEmpty {
            context.append(JSONMember("cluster_deployment_id", .string(site.deploymentID)))
        }
        return .object([
            JSONMember(
                "v2",
                .object([
                    JSONMember("active_context", .string("default")),
                    JSONMember("contexts", .object([JSONMember("default", .object(context))])),
                    JSONMember("metrics", .bool(true)),
                ]))
        ])
    }
}
