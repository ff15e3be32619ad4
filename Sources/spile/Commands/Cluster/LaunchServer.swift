import Logging
import Server

/// Runs the server in this process until it is told to stop. `logLevel` is one of the names of the logging library,
/// `garbageInterval` seconds, nil for never.
func launchServer(
    dataFolder: String, host: String, port: Int, logLevel: String, garbageInterval: Double?
) async throws {
    let level = Logger.Level(rawValue: logLevel) ?? .info
    try await runServer(
        ServerOptions(
            dataFolder: dataFolder, host: host, port: port, logLevel: level, garbageInterval: garbageInterval))
}
