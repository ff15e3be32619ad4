import Core
import Logging

/// How a server is to run.
package struct ServerOptions: Sendable {
    /// Folder that holds everything; made if missing.
    package var dataFolder: String
    /// Address to listen on.
    package var host: String
    /// 0 takes a free port; the line that says the server is ready names it.
    package var port: Int
    package var logLevel: Logger.Level
    /// Seconds that running code gets between SIGTERM and SIGKILL, when a pipeline stops and when the server does.
    package var grace: Double
    /// Threads for calls that may block on disk.
    package var threads: Int
    /// Seconds between two looks for garbage; nil never looks.
    package var garbageInterval: Double?

    package init(
        dataFolder: String, host: String = "127.0.0.1", port: Int = 30650, logLevel: Logger.Level = .info,
        grace: Double = 10, threads: Int = 16, garbageInterval: Double? = 600
    ) {
        self.dataFolder = dataFolder
        self.host = host
        self.port = port
        self.logLevel = logLevel
        self.grace = grace
        self.threads = threads
        self.garbageInterval = garbageInterval
    }
}
