import Foundation

/// A server as a child process, on a data folder and a free port of its own.
final class ServerProcess {
    let process: pid_t
    let port: Int
    /// Seconds from its start to the line that says it is ready.
    let startSeconds: Double
    private let quiet: Quiet
    private var isRunning = true

    init(_ bench: Workbench, data: String) throws {
        quiet = bench.quiet
        var pipes: [Int32] = [0, 0]
        guard pipe(&pipes) == 0 else { throw Unexpected("no pipe for the server's output") }
        defer { close(pipes[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, data + ".log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addclose(&actions, pipes[0])
        let words = [bench.server, "server", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "warning"]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let watch = Stopwatch()
        let failure = posix_spawn(&process, bench.server, &actions, nil, &arguments, environ)
        close(pipes[1])
        guard failure == 0 else {
            throw Unexpected("\(bench.server) cannot be started: \(String(cString: strerror(failure)))")
        }
        guard let line = Self.firstLine(pipes[0]), let port = Self.port(in: line) else {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
            let log = (try? String(contentsOfFile: data + ".log", encoding: .utf8)) ?? ""
            throw Unexpected("the server did not say that it is ready: \(log.suffix(1_000))")
        }
        startSeconds = watch.seconds
        self.process = process
        self.port = port
        quiet.children.insert(process)
    }

    deinit { stop() }

    /// Asks it to end, and waits.
    func stop() {
        guard isRunning else { return }
        isRunning = false
        kill(process, SIGTERM)
        waitpid(process, nil, 0)
        quiet.children.remove(process)
    }

    private static func firstLine(_ descriptor: Int32) -> String? {
        var bytes: [UInt8] = []
        var next: UInt8 = 0
        while read(descriptor, &next, 1) == 1 {
            if next == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(next)
        }
        return nil
    }

    /// The number behind `… is ready on HOST:`.
    private static func port(in line: String) -> Int? {
        guard let place = line.range(of: "127.0.0.1:") else { return nil }
        return Int(line[place.upperBound...].prefix(while: \.isNumber))
    }
}
