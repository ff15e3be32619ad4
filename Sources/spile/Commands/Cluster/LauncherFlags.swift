import ArgumentParser
import Core
import Server

/// What runs the pipelines' code.
struct LauncherFlags: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: """
            What runs the pipelines' code: process (on this machine, transform.image is not used), container, or \
            kubernetes (pods of a cluster). A pipeline chooses for itself by the annotation \
            \(PipelineSpec.launcherAnnotation) in its metadata.
            """)
    var launcher = LauncherKind.process.rawValue
    @Option(
        name: .customLong("container-command"), parsing: .unconditional,
        help: ArgumentHelp("The command that runs containers (default: podman, or else docker).", valueName: "command"))
    var containerCommand: String?
    @Option(
        name: .customLong("container-network"), parsing: .unconditional,
        help: ArgumentHelp(
            "The containers' network; in another than the host's, --listen names an address that they can reach.",
            valueName: "network"))
    var containerNetwork = "host"
    @Option(
        name: .customLong("image-pull"), parsing: .unconditional,
        help: ArgumentHelp("When images are fetched: missing, always or never.", valueName: "when"))
    var imagePull = "missing"
    @Option(
        name: .customLong("tool-binary"), parsing: .unconditional,
        help: ArgumentHelp(
            "The static program that containers get as pachctl and spile (default: this one).", valueName: "file"))
    var toolBinary: String?
    @OptionGroup var kubernetes: KubernetesFlags

    func validate() throws {
        guard LauncherKind(rawValue: launcher) != nil else {
            throw ValidationError(
                "unknown launcher \"\(launcher)\": use one of "
                    + LauncherKind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard LauncherOptions.pulls.contains(imagePull) else {
            throw ValidationError(
                "--image-pull \(imagePull) is none of \(LauncherOptions.pulls.joined(separator: ", "))")
        }
    }

    var options: LauncherOptions {
        LauncherOptions(
            usual: LauncherKind(rawValue: launcher) ?? .process, containerCommand: containerCommand,
            containerNetwork: containerNetwork, imagePull: imagePull, toolBinary: toolBinary,
            kubernetes: kubernetes.settings(.process))
    }
}
