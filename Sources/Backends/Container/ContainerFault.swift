import Core

/// What a container tool's complaints mean.
enum ContainerFault {
    /// The error for a command `what` that failed and said `lines`.
    static func error(of what: String, _ lines: [String], program: String) -> SpileError {
        let said = lines.map(trimmed).filter { !$0.isEmpty }.suffix(5).joined(separator: " | ")
        let tool = program.split(separator: "/").last.map(String.init) ?? program
        let text = said.isEmpty ? "\(tool) \(what) failed and did not say why" : "\(tool) \(what): \(said)"
        let known = remedies.first { said.lowercased().contains($0.fragment) }
        return SpileError(known?.code ?? .failedPrecondition, text, remedy: known?.remedy ?? "")
    }

    private static func trimmed(_ line: String) -> String {
        let line = line.hasPrefix("Error: ") ? String(line.dropFirst(7)) : line
        return line.count > 500 ? String(line.prefix(500)) + "…" : line
    }

    private static let remedies: [(fragment: String, code: SpileError.Code, remedy: String)] = [
        (
            "container-init binary not found", .failedPrecondition,
            "podman takes its init program from the package catatonit: install it"
        ),
        (
            "cgroup", .failedPrecondition,
            "resource_limits need control groups for memory and cpu, which this machine does not let containers use"
        ),
        ("cannot connect to the docker daemon", .unavailable, "start the docker service"),
        ("permission denied while trying to connect", .failedPrecondition, "the server's user may not use docker"),
        ("executable file not found", .failedPrecondition, "transform.cmd[0] has to be a program of the image"),
    ]
}
