import API
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import Synchronization
import Testing

/// The real server as a process of its own, with a client that is connected to it.
final class ServerProcess: Sendable {
    typealias Transport = HTTP2ClientTransport.Posix

    let program: SpawnedProgram
    let port: Int
    let client: GRPCClient<Transport>
    private let connections: Task<Void, Never>

    var pfs: PfsV2_API.Client<Transport> { .init(wrapping: client) }

    /// The server did not come up.
    struct Refusal: Error, CustomStringConvertible {
        let ending: Ending
        let text: String
        var description: String { "the server ended with \(ending): \(text)" }
    }

    /// Waits for the line that says the server is ready; throws ``Refusal`` if it ends before.
    init(_ program: SpawnedProgram) async throws {
        var found: Int?
        for await line in program.lines where line.hasPrefix("spile is ready on ") {
            found = line.split(separator: ",").first?.split(separator: ":").last.flatMap { Int($0) }
            break
        }
        guard let found else { throw Refusal(ending: await program.ending(), text: program.errorText) }
        self.program = program
        port = found
        client = try Self.connect(to: found)
        connections = Task { [client] in try? await client.runConnections() }
    }

    static func connect(to port: Int) throws -> GRPCClient<Transport> {
        let limits = MethodConfig(
            names: [MethodConfig.Name(service: "")], maxRequestMessageBytes: 64 << 20,
            maxResponseMessageBytes: 64 << 20)
        // While a connection cannot write, the client's HTTP/2 library widens the window it reads with once for each
        // frame that comes in. Where the window is large and frames are small that passes what the protocol allows,
        // and the client ends the connection.
        let config = Transport.Config.defaults { $0.http2.targetWindowSize = 256 << 10 }
        return GRPCClient(
            transport: try Transport(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext, config: config,
                serviceConfig: ServiceConfig(methodConfig: [limits])))
    }

    /// Ends it at once, as a crash would. Gives how it ended: it may not have waited for this.
    @discardableResult
    func crash() async -> Ending {
        program.signal(SIGKILL)
        let ending = await program.ending()
        client.beginGracefulShutdown()
        connections.cancel()
        return ending
    }

    /// Asks it to end and waits until it has.
    func terminate() async -> Ending {
        program.signal(SIGTERM)
        let ending = await program.ending()
        client.beginGracefulShutdown()
        connections.cancel()
        return ending
    }
}

/// A data folder with the servers that a test starts on it. All have ended when ``withServerFolder(_:)`` returns.
final class ServerFolder: Sendable {
    let path: String
    var data: String { path + "/data" }
    private let programs = Mutex<[SpawnedProgram]>([])

    fileprivate init() throws {
        path = NSTemporaryDirectory() + "spile-server-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    /// Starts the executable with `arguments` after `server --data <this folder>`.
    func spawn(data: String? = nil, listen: String = "127.0.0.1:0") throws -> SpawnedProgram {
        let number = programs.withLock { $0.count }
        let program = try SpawnedProgram(
            Self.executable(), ["server", "--data", data ?? self.data, "--listen", listen, "--http", "127.0.0.1:0"],
            errorsTo: "\(path)/server-\(number).log")
        programs.withLock { $0.append(program) }
        return program
    }

    /// Starts a server on the folder and waits until it is ready.
    func start(data: String? = nil) async throws -> ServerProcess { try await ServerProcess(try spawn(data: data)) }

    /// Runs the executable with other arguments to its end, which has to be a good one.
    func run(_ arguments: [String]) async throws {
        let number = programs.withLock { $0.count }
        let program = try SpawnedProgram(Self.executable(), arguments, errorsTo: "\(path)/run-\(number).log")
        programs.withLock { $0.append(program) }
        let ending = await program.ending()
        #expect(ending == .status(0), "\(arguments): \(program.errorText)")
    }

    /// Starts a server that is expected to refuse, and gives what it said.
    func refusal(data: String? = nil, listen: String = "127.0.0.1:0") async throws -> ServerProcess.Refusal? {
        do {
            let server = try await ServerProcess(try spawn(data: data, listen: listen))
            await server.crash()
            return nil
        } catch let refusal as ServerProcess.Refusal {
            return refusal
        }
    }

    fileprivate func end() async {
        for program in programs.withLock({ $0 }) {
            program.signal(SIGKILL)
            _ = await program.ending()
        }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// `SPILE_BIN`, else the program that was built together with these tests.
    private static func executable() throws -> String {
        if let named = ProcessInfo.processInfo.environment["SPILE_BIN"], !named.isEmpty { return named }
        var candidates = CommandLine.arguments.filter { $0.contains(".xctest") }
        candidates += [Bundle.main.bundlePath, Bundle.main.executablePath ?? ""]
        for candidate in candidates {
            var folder = URL(fileURLWithPath: candidate).standardizedFileURL
            for _ in 0..<4 {
                let program = folder.appendingPathComponent("spile").path
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: program, isDirectory: &isFolder), !isFolder.boolValue {
                    return program
                }
                folder.deleteLastPathComponent()
            }
        }
        struct Missing: Error, CustomStringConvertible {
            let description = "the executable is not beside the tests: build it, or name it with SPILE_BIN"
        }
        throw Missing()
    }
}

/// Runs `body` with a fresh folder and ends every server that it started there, however it ends.
func withServerFolder(_ body: (ServerFolder) async throws -> Void) async throws {
    let folder = try ServerFolder()
    do {
        try await body(folder)
    } catch {
        await folder.end()
        throw error
    }
    await folder.end()
}

/// Runs `body` with one server.
func withServer(_ body: (ServerProcess) async throws -> Void) async throws {
    try await withServerFolder { try await body(try await $0.start()) }
}
