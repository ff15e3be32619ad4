import Core

/// Images on this machine, fetched from their registries where the rules say so.
struct ContainerImages {
    let tool: ContainerTool
    let pull: ContainerOptions.Pull

    /// Seconds that fetching an image may take.
    private static let pullPatience = 3600.0

    /// Makes sure that an image is here, and returns the name it goes by and the variables it sets, `NAME=value` each.
    /// `folder` is the launch's own, for credentials. Cancelling the task ends a fetch.
    func prepare(_ image: LaunchImage, folder: String) async throws -> (name: String, environment: [String]) {
        if pull != .always, let environment = try await environment(of: image.name) { return (image.name, environment) }
        if pull == .never {
            throw SpileError(
                .failedPrecondition, "transform.image: there is no image \"\(image.name)\" on this machine",
                remedy: "load it, or let the server fetch it with --image-pull missing")
        }
        let name = try await fetch(image, folder: folder)
        guard let environment = try await environment(of: name) else {
            throw SpileError(.failedPrecondition, "transform.image: \"\(name)\" was fetched and is not there")
        }
        return (name, environment)
    }

    /// The variables of an image of this machine; nil if it is not here.
    private func environment(of name: String) async throws -> [String]? {
        let arguments = ["image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", name]
        let answer = try await tool.ask(arguments)
        if answer.succeeded { return answer.output.filter { !$0.isEmpty } }
        if answer.saysMissing { return nil }
        throw ContainerFault.error(of: "image inspect \(name)", answer.errors, program: tool.program)
    }

    private func fetch(_ image: LaunchImage, folder: String) async throws -> String {
        let flavour = try await tool.flavour()
        let name = flavour == .podman ? Self.fullName(image.name) : image.name
        var arguments = ["pull", "--quiet", name]
        if !image.registryConfig.isEmpty {
            let credentials = folder + "/registry"
            try await BlockingThread.run {
                try PosixFiles.makeFolder(credentials, mode: 0o700)
                try PosixFiles.write(image.registryConfig, to: credentials + "/config.json", mode: 0o600)
            }
            arguments =
                flavour == .podman
                ? ["pull", "--quiet", "--authfile", credentials + "/config.json", name]
                : ["--config", credentials] + arguments
        }
        let lines = ToolLines(limit: 100)
        let run = try await tool.spawn(arguments) { lines.add($0) }
        let timer = Task {
            try await Task.sleep(for: .seconds(Self.pullPatience))
            run.requestStop(grace: 0)
        }
        defer { timer.cancel() }
        let exit = await withTaskCancellationHandler {
            await run.end()
        } onCancel: {
            run.requestStop(grace: 1)
        }
        guard exit == .exited(code: 0) else {
            throw ContainerFault.error(of: "pull \(name)", lines[.standardError], program: tool.program)
        }
        return name
    }

    /// The name with its registry: what has none is of Docker Hub, as the spec's readers expect. Podman would ask the
    /// machine's settings, which are empty on a fresh one.
    static func fullName(_ name: String) -> String {
        guard let slash = name.firstIndex(of: "/") else { return "docker.io/library/" + name }
        let first = name[..<slash]
        return first.contains(".") || first.contains(":") || first == "localhost" ? name : "docker.io/" + name
    }
}
