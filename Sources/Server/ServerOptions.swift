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
    /// Where plain HTTP is answered: health, metrics, and the contents behind references.
    package var http: HTTPListener
    package var logLevel: Logger.Level
    package var logFormat: LogFormat
    /// Seconds that running code gets between SIGTERM and SIGKILL, when a pipeline stops and when the server does.
    package var grace: Double
    /// Threads for calls that may block on disk.
    package var threads: Int
    /// Folders of this machine whose files clients may put by `file://` URLs; none by default.
    package var fileURLFolders: [String]
    /// Seconds between two looks for garbage; nil never looks.
    package var garbageInterval: Double?
    /// The address at which the ports of spouts' services are opened; those of type ClusterIP are on loopback anyway.
    package var serviceHost: String
    /// Makes calls encrypted; running code of pipelines keeps to a plain port on loopback.
    package var tls: TLSPaths?
    /// Where running code is served in the clear where ``tls`` is on; nil for a free port of loopback.
    package var peers: (host: String, port: Int)?
    /// What runs users' code.
    package var launchers: LauncherOptions
    /// Turns authentication on, with this as the token of `pach:root`; nil leaves it as it is.
    package var rootToken: String?
    /// Where projects, commits, pipelines and jobs are kept.
    package var catalog: CatalogPlace
    /// Where the bytes of files are kept.
    package var store: StorePlace

    package init(
        dataFolder: String, host: String = "127.0.0.1", port: Int = 30650, http: HTTPListener = .besideCalls,
        logLevel: Logger.Level = .info, logFormat: LogFormat = .text, grace: Double = 10, threads: Int = 16,
        fileURLFolders: [String] = [], garbageInterval: Double? = 600, serviceHost: String = "0.0.0.0",
        launchers: LauncherOptions = LauncherOptions(), tls: TLSPaths? = nil, rootToken: String? = nil,
        catalog: CatalogPlace = .folder, store: StorePlace = .folder, peers: (host: String, port: Int)? = nil
    ) {
        self.dataFolder = dataFolder
        self.host = host
        self.port = port
        self.http = http
        self.logLevel = logLevel
        self.logFormat = logFormat
        self.grace = grace
        self.threads = threads
        self.garbageInterval = garbageInterval
        self.fileURLFolders = fileURLFolders
        self.serviceHost = serviceHost
        self.launchers = launchers
        self.tls = tls
        self.rootToken = rootToken
        self.catalog = catalog
        self.store = store
        self.peers = peers
    }
}

/// Where the certificate and the key of a server lie, PEM both.
package struct TLSPaths: Sendable {
    package var certificate: String
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

extension ServerOptions {
    /// The address at which running code is served.
    var codeHost: String { tls == nil ? host : peers?.host ?? "127.0.0.1" }

    /// Where plain HTTP is answered; nil where it is off. Port 0 is a free one.
    var httpAddress: (host: String, port: Int)? {
        switch http {
        case .off: nil
        case .besideCalls: (host, port == 0 || port == 65535 ? 0 : port + 1)
        case .at(let host, let port): (host, port)
        }
    }

    /// The host that URLs name, fit to stand in one; nil for the one by which a caller reached the server, because this
    /// one listens on all.
    var httpHostOfURLs: String? {
        guard let host = httpAddress?.host, !["0.0.0.0", "::"].contains(host) else { return nil }
        return host.contains(":") ? "[\(host)]" : host
    }
}
