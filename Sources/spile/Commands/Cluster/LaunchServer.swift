import Logging
import Server

/// Runs the server in this process until it is told to stop. `http` is where it answers plain HTTP, nil the port behind
/// that of the calls. `logLevel` is one of the names of the logging library, `logFormat` of ``LogFormat``,
/// `garbageInterval` seconds, nil for never.
func launchServer(
    dataFolder: String, host: String, port: Int, http: Address?, isHTTPOff: Bool, logLevel: String, logFormat: String,
    fileURLFolders: [String], garbageInterval: Double?, serviceHost: String, launchers: LauncherFlags,
    tls: (certificate: String, key: String)?, rootToken: String?, catalog: String?, store: String?,
    peers: (host: String, port: Int)?
) async throws {
    let listener: HTTPListener =
        if isHTTPOff { .off } else { http.map { .at(host: $0.host, port: $0.port) } ?? .besideCalls }
    let level = Logger.Level(rawValue: logLevel) ?? .info
    try await runServer(
        ServerOptions(
            dataFolder: dataFolder, host: host, port: port, http: listener, logLevel: level,
            logFormat: LogFormat(rawValue: logFormat) ?? .text,
            fileURLFolders: fileURLFolders, garbageInterval: garbageInterval, serviceHost: serviceHost,
            launchers: launchers.options, tls: tls.map { TLSPaths(certificate: $0.certificate, key: $0.key) },
            rootToken: rootToken, catalog: try CatalogPlace(catalog), store: try StorePlace(store), peers: peers))
}
