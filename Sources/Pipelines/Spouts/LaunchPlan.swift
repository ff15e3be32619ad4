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

    package init(
        host: String, port: Int, toolFolder: String, deploymentID: String = "", baseEnvironment: [String: String]
    ) {
        self.host = host
        self.port = port
        self.toolFolder = toolFolder
        self.deploymentID = deploymentID
        self.baseEnvironment = baseEnvironment.filter { Self.inherited.contains($0.key) }
    }

    private static let inherited: Set = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"]
}

/// What one launch gets: command, environment and files (`pps.md` §3.5, §3.7, §6.1).
package struct LaunchPlan: Sendable {
    package var pipeline: PipelineRecord
    package var spec: PipelineSpec
    package var epoch: Int64
    package var token: String
    package var site: LaunchSite
    /// The secrets that the spec names, opened.
    package var secrets = LaunchSecrets()

    /// What every launch's token begins with.
    package static let tokenPrefix = "launch-"

    package init(pipeline: PipelineRecord, epoch: Int64, token: String, site: LaunchSite) throws(SpileError) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.token = token
        self.site = site
        spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
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
        return nil
    }

    package func order(output: @escaping @Sendable (LaunchOutput) -> Void) -> LaunchOrder {
        let transform = spec.transform
        let lines = transform?.standardInput ?? []
        var order = LaunchOrder(
            pipeline: pipeline.key, epoch: epoch, command: transform?.command ?? [],
            standardInput: lines.isEmpty ? [] : Array((lines.joined(separator: "\n") + "\n").utf8),
            environment: environment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
            workingDirectory: transform?.workingDirectory ?? "", user: transform?.user ?? "",
            files: [(path: Self.configFile, bytes: Array(config.text.utf8), mode: 0o600)],
            fileVariables: [(name: "PACH_CONFIG", path: Self.configFile)], output: output)
        order.secretFiles = secrets.mounts
        return order
    }

    private static let configFile = "config.json"

    /// Basics, then what the spec sets, then its secrets, then what the contract fixes: later ones win.
    package var environment: [String: String] {
        var result = site.baseEnvironment
        for (name, value) in spec.transform?.environment ?? [:] { result[name] = value }
        for (name, value) in secrets.variables { result[name] = value }
        let path = result["PATH"].flatMap { $0.isEmpty ? nil : $0 } ?? "/usr/local/bin:/usr/bin:/bin"
        let fixed = [
            "PATH": path + ":" + site.toolFolder,
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
            "PPS_WORKER_GRPC_PORT": "1080",
        ]
        return result.merging(fixed) { $1 }
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
