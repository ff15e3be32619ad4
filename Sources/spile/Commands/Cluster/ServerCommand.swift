import ArgumentParser

struct ServerCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "server", abstract: "Run the server until it is told to stop.",
            discussion: """
                Everything lives in the data folder. Clients on this machine find the server without being told.

                  \(Program.name) server
                  \(Program.name) server --data /srv/spile --listen 0.0.0.0:30650
                  \(Program.name) server --launcher container
                  \(Program.name) server --launcher kubernetes --kubernetes-image registry.example/spile:1
                """)
    }

    @Option(parsing: .unconditional, help: "The data folder (default: $SPILE_DATA, or ~/.local/share/spile).")
    var data: String?
    @Option(parsing: .unconditional, help: "HOST:PORT to listen on; port 0 takes a free one.")
    var listen = "127.0.0.1:30650"
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            The PostgreSQL database that holds the catalog: postgres://USER@HOST/NAME; the password comes from \
            PGPASSWORD or a password file (default: $SPILE_CATALOG, else the data folder holds it).
            """, valueName: "url"))
    var catalog: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            The bucket that holds the files: s3://NAME/PREFIX; key, region and endpoint come from AWS_ACCESS_KEY_ID, \
            AWS_SECRET_ACCESS_KEY, AWS_REGION and SPILE_S3_ENDPOINT (default: $SPILE_STORE, else the data folder \
            holds them). With --catalog any number of servers may share both.
            """, valueName: "url"))
    var store: String?
    @Option(
        parsing: .unconditional,
        help: "HOST:PORT for plain HTTP, or off (default: the host and the port behind those of --listen).")
    var http: String?
    @Option(
        name: .customLong("log-level"), parsing: .unconditional,
        help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"
    @Option(
        name: .customLong("log-format"), parsing: .unconditional,
        help: "text, or json for one object a line.")
    var logFormat = "text"
    @Option(
        name: .customLong("allow-file-urls"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Let clients put files of this machine from below this folder, by file:// URLs. Repeat it.",
            valueName: "folder"))
    var allowFileURLs: [String] = []
    @Option(
        name: .customLong("gc-interval"), parsing: .unconditional,
        help: ArgumentHelp(
            "How often to look for what no commit holds any more and remove it, or off.", valueName: "duration"))
    var garbageInterval = "10m"
    @Option(
        name: .customLong("service-host"), parsing: .unconditional,
        help: ArgumentHelp(
            "The address at which the external ports of spouts with a service are opened.", valueName: "address"))
    var serviceHost = "0.0.0.0"
    @Option(
        name: .customLong("tls-cert"), parsing: .unconditional,
        help: ArgumentHelp(
            "The server's certificate and those that vouch for it, PEM: calls are encrypted then, plain HTTP is not. "
                + "With --tls-key.", valueName: "file"))
    var tlsCertificate: String?
    @Option(
        name: .customLong("tls-key"), parsing: .unconditional,
        help: ArgumentHelp("The private key of the certificate, PEM.", valueName: "file"))
    var tlsKey: String?
    @Option(
        name: .customLong("peer-listen"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            With TLS: HOST:PORT where running code is served in the clear (default: a free port of 127.0.0.1). Pods \
            need one that their Service leads to; keep others from it.
            """, valueName: "address"))
    var peerListen: String?
    @Option(
        name: .customLong("auth-root-token-file"), parsing: .unconditional,
        help: ArgumentHelp(
            "Turn authentication on, with the first line of this file as the administrator's token "
                + "(default: $SPILE_AUTH_ROOT_TOKEN, else as it was).", valueName: "file"))
    var rootTokenFile: String?
    @OptionGroup var launchers: LauncherFlags
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let place = try Self.place(listen, of: "--listen")
        let levels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        guard levels.contains(logLevel) else {
            throw Failure("unknown log level \"\(logLevel)\": use one of \(levels.joined(separator: ", "))")
        }
        guard ["text", "json"].contains(logFormat) else {
            throw Failure("unknown log format \"\(logFormat)\": use text or json")
        }
        let folder = try Self.dataFolder(data, .process)
        if peerListen != nil, tlsCertificate == nil {
            throw Failure("--peer-listen is for servers with --tls-cert: without TLS code is served where clients are")
        }
        let peers = try peerListen.map { try Self.place($0, of: "--peer-listen") }
        let http = try self.http.flatMap { $0 == "off" ? nil : try Self.place($0, of: "--http") }
        try await launchServer(
            dataFolder: folder, host: place.host, port: place.port, http: http, isHTTPOff: self.http == "off",
            logLevel: logLevel, logFormat: logFormat, fileURLFolders: allowFileURLs,
            garbageInterval: try Self.seconds(garbageInterval), serviceHost: serviceHost, launchers: launchers,
            tls: try Self.tls(tlsCertificate, tlsKey), rootToken: try Self.rootToken(rootTokenFile, .process),
            catalog: catalog ?? Environment.process.nonEmpty("SPILE_CATALOG"),
            store: store ?? Environment.process.nonEmpty("SPILE_STORE"),
            peers: peers.map { ($0.host, $0.port) })
    }

    /// The file's first line, else `SPILE_AUTH_ROOT_TOKEN`, else nil.
    private static func rootToken(_ file: String?, _ environment: Environment) throws -> String? {
        guard let file, !file.isEmpty else { return environment.nonEmpty("SPILE_AUTH_ROOT_TOKEN") }
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        guard let token = text.split(whereSeparator: \.isNewline).first.map({ $0.split(separator: " ") })?.first else {
            throw Failure("--auth-root-token-file \(file) is empty; make one: openssl rand -hex 16 >\(file)")
        }
        return String(token)
    }

    private static func tls(_ certificate: String?, _ key: String?) throws -> (certificate: String, key: String)? {
        switch (certificate, key) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return (certificate, key)
        default: throw Failure("--tls-cert and --tls-key go together: give both, or neither")
        }
    }

    private static func place(_ text: String, of flag: String) throws -> Address {
        let place = try Address(text, allowsPortZero: true)
        guard place.kind == .plain, text.range(of: "://") == nil else {
            throw Failure("\(flag) \(text) is not HOST:PORT, such as 127.0.0.1:30650")
        }
        return place
    }

    /// Seconds of `--gc-interval`; nil for off.
    static func seconds(_ interval: String) throws -> Double? {
        if interval == "off" { return nil }
        guard let duration = parseDuration(interval), duration >= .seconds(1) else {
            throw Failure("--gc-interval \(interval) is neither off nor a duration of a second or more, such as 10m")
        }
        return Double(duration.components.seconds)
    }

    /// The flag, else `SPILE_DATA`, else a folder below the home folder.
    static func dataFolder(_ flag: String?, _ environment: Environment) throws -> String {
        if let flag, !flag.isEmpty { return flag }
        if let folder = environment.nonEmpty("SPILE_DATA") { return folder }
        guard let home = environment.nonEmpty("HOME") else {
            throw Failure("there is no place for the data: give --data <folder>, or set SPILE_DATA or HOME")
        }
        return home + "/.local/share/spile"
    }
}
