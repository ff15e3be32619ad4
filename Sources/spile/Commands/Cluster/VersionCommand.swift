import API
import ArgumentParser
import GRPCCore

struct VersionCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "version", abstract: "Print the versions of this command and of the server.",
            discussion: "  \(Program.name) version --client-only")
    }

    @Flag(name: .customLong("client-only"), help: "Do not ask the server.")
    var clientOnly = false
    @Flag(name: .customLong("print-architecture"), help: "First print the machine's architecture and system.")
    var printArchitecture = false
    @Option(parsing: .unconditional, help: "Wait so long for the server: 5s; 0s waits for ever.")
    var timeout = "default"
    @Flag(help: "Ask the server of the active enterprise context.")
    var enterprise = false
    @Flag(help: "Exit code 1 if the two versions differ.")
    var compare = false
    @OptionGroup var raw: RawOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        if printArchitecture { try Console.write("\(Self.architecture)\n\(Self.system)\n") }
        if clientOnly {
            if let raw { return try raw.show(ProgramVersion.wire) }
            return try Console.line(ProgramVersion.text)
        }
        var table = Table(["COMPONENT", "VERSION"], minimum: 20)
        if let raw {
            try raw.show(ProgramVersion.wire)
        } else {
            try table.add(["pachctl", ProgramVersion.text])
            try table.flush()
        }
        var global = global
        if timeout != "default" { global.rpcTimeout = timeout }
        let session = try await Session.open(global)
        var options = CallOptions.defaults
        options.timeout = .seconds(1)
        let version = try await session.version.getVersion(.init(), options: options)
        if let raw {
            try Console.write(raw.text(version, isFirst: false))
        } else {
            try table.add(["pachd", Self.text(version)])
            try table.flush()
        }
        if compare && Self.text(version) != ProgramVersion.text {
            throw Failure("the versions differ: pachctl \(ProgramVersion.text), pachd \(Self.text(version))")
        }
    }

    static func text(_ version: VersionpbV2_Version) -> String {
        "\(version.major).\(version.minor).\(version.micro)\(version.additional)"
    }

    #if arch(x86_64)
        static let architecture = "amd64"
    #elseif arch(arm64)
        static let architecture = "arm64"
    #else
        static let architecture = "unknown"
    #endif

    #if os(Linux)
        static let system = "linux"
    #else
        static let system = "darwin"
    #endif
}
