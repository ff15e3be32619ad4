import Core

/// The arguments that make a container of an order.
struct ContainerPlan {
    /// Where the program finds `pachctl` (`pps.md` §3.7). Appended to PATH, so that an image's own comes first.
    static let toolFolder = "/pach-bin"
    /// Where the program finds the files of the order.
    static let fileFolder = "/pachctl"
    static let ownerLabel = "io.spile.data"
    static let pipelineLabel = "io.spile.pipeline"

    var order: LaunchOrder
    var image: LaunchImage
    var options: ContainerOptions
    var flavour: ContainerTool.Flavour
    /// The launch's private folder on this machine.
    var folder: String
    /// The program to mount as `pachctl`.
    var tool: String
    /// The variables that the image sets, `NAME=value` each.
    var imageEnvironment: [String]

    /// Fit for a container, and unlike any other's on this machine.
    var name: String {
        "spile-\(options.owner.prefix(12)).\(order.pipeline.project).\(order.pipeline.name).\(order.number)"
    }

    var environmentFile: String { folder + "/environment" }
    var files: String { folder + "/files" }
    var secrets: String { folder + "/secrets" }
    var input: String { folder + "/input" }

    /// Lines for the environment file. A file, because arguments can be read by every user of the machine while the
    /// command runs, and tokens are among the variables.
    var lines: [String] { variables.filter { Self.isPlain($0.name, $0.value) }.map { "\($0.name)=\($0.value)" } }

    /// Variables that no line of a file can hold: values with line ends or with marks that one of the tools may read as
    /// more than themselves. Those that mean nothing to the command itself are passed on from its environment.
    var others: [(name: String, text: String, isPassed: Bool)] {
        variables.filter { !Self.isPlain($0.name, $0.value) }.map { name, value in
            let isOwn = Self.ownVariables.contains { name.hasPrefix($0) }
            return (name, "\(name)=\(value)", !isOwn && !name.isEmpty)
        }
    }

    private var variables: [(name: String, value: String)] {
        var variables = image.environment + order.secretFiles.map { ($0.variable, $0.path) }
        let path = variables.last { $0.name == "PATH" }?.value ?? imagePath
        variables.removeAll { $0.name == "PATH" }
        variables.append(("PATH", path + ":" + Self.toolFolder))
        return variables + order.fileVariables.map { ($0.name, Self.fileFolder + "/" + $0.path) }
    }

    private var imagePath: String {
        let path = imageEnvironment.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? ""
        return path.isEmpty ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" : String(path)
    }

    private static func isPlain(_ name: String, _ value: String) -> Bool {
        let isName = !name.isEmpty && name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || NameRules.isAlphanumeric($0) }
        let marks: Set<UInt8> = Set("\"'\\#$`*\n\r\t".utf8)
        return isName && value.first != " " && value.last != " "
            && value.utf8.allSatisfy { $0 >= 0x20 && !marks.contains($0) }
    }

    /// What follows the tool's name to create the container.
    var arguments: [String] {
        var result = ["create", "--name", name, "--pull", "never", "--restart", "no", "--network", options.network]
        // The program is not the first process of its container: that one would be deaf to every signal it does not
        // catch, and would have to reap what others leave.
        result += ["--init", "--stop-timeout", "0"]
        // Lines are read as they are printed and kept by the server: the engine need not keep them too.
        result += ["--log-driver", "none"]
        // The program mounted from this machine bears no label that a container may read, and must not be given one.
        result += ["--security-opt", "label=disable"]
        // An image's entry point is not used (`pps.md` §5.2).
        result += ["--entrypoint", ""]
        if flavour == .podman { result += ["--http-proxy=false"] }
        if let port = image.port, options.publishesPorts {
            let address = port.isLocal ? "127.0.0.1" : options.serviceHost
            let host = address.contains(":") ? "[\(address)]:" : "\(address):"
            result += ["--publish", "\(host)\(port.externalPort):\(port.internalPort)"]
        }
        if !order.standardInput.isEmpty { result.append("--interactive") }
        if !order.user.isEmpty { result += ["--user", order.user] }
        if !order.workingDirectory.isEmpty { result += ["--workdir", order.workingDirectory] }
        if let bytes = image.memoryLimit { result += ["--memory", "\(bytes)b"] }
        if let processors = image.processorLimit { result += ["--cpus", "\(processors)"] }
        result += labels.flatMap { ["--label", "\($0.name)=\($0.value)"] }
        result += ["--env-file", environmentFile] + others.flatMap { ["--env", $0.isPassed ? $0.name : $0.text] }
        if let folder = order.pfsFolder {
            result += Self.mount(folder, at: "/pfs", isWritable: true)
        } else {
            result += ["--tmpfs", "/pfs:rw,exec,mode=1777"]
        }
        for name in ["pachctl", "spile"] { result += Self.mount(tool, at: Self.toolFolder + "/" + name) }
        if !order.files.isEmpty { result += Self.mount(files, at: Self.fileFolder) }
        for secret in order.secretFiles { result += Self.mount(secrets + "/" + secret.secret, at: secret.path) }
        return result + [image.name] + order.command
    }

    /// The spec's own, then ours, which win.
    private var labels: [(name: String, value: String)] {
        let own = [
            (Self.ownerLabel, options.owner), (Self.pipelineLabel, "\(order.pipeline)"),
            ("io.spile.epoch", "\(order.epoch)"),
        ]
        return image.labels.filter { label in !own.contains { $0.0 == label.name } } + own
    }

    /// A mount, read-only unless said otherwise. The tools read its fields as a line of CSV.
    private static func mount(_ source: String, at target: String, isWritable: Bool = false) -> [String] {
        let fields = "type=bind,\(field("source=\(source)")),\(field("target=\(target)"))"
        return ["--mount", isWritable ? fields : fields + ",readonly"]
    }

    private static func field(_ text: String) -> String {
        guard text.contains(",") || text.contains("\"") else { return text }
        let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"\(parts.joined(separator: "\"\""))\""
    }

    /// What begins so changes how the command works.
    private static let ownVariables = [
        "PATH", "HOME", "XDG_", "DOCKER_", "CONTAINER", "PODMAN_", "BUILDAH_", "LD_", "TMPDIR", "USER", "http_proxy",
        "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_", "NOTIFY_SOCKET", "LISTEN_",
        "REGISTRY_",
    ]
}
