import CSpawn
import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// One run of a worker: a program that leads a session of its own, and all that came of it.
///
/// The worker is the parent of every descendant whose own parent has ended, so that none gets away: when the program is
/// over, children are killed and waited for until there are none.
struct WorkerCode {
    let number: UInt32
    private let leader: pid_t
    private var streams: [Int32]
    private var status: Int32?
    private var deadline: Double?

    /// Seconds until what cannot be ended is given up.
    private static let patience = 2.0

    /// Starts the program.
    init(
        _ number: UInt32, command: [String], variables: [String], tools: String?, folder: String, input: [UInt8]
    ) throws {
        self.number = number
        guard let program = command.first else {
            throw SpileError(.failedPrecondition, "nothing to run: no transform.cmd")
        }
        let environment = Self.environment(with: variables, tools)
        let path = environment.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? ""
        let inputFile = input.isEmpty ? -1 : try Self.memoryFile(input)
        defer { if inputFile >= 0 { _ = Self.shut(inputFile) } }
        let output = try ProcessRun.makePipe()
        let errors: (read: Int32, write: Int32)
        do { errors = try ProcessRun.makePipe() } catch {
            for end in [output.read, output.write] { _ = Self.shut(end) }
            throw error
        }
        defer { for end in [output.write, errors.write] { _ = Self.shut(end) } }
        do {
            leader = try ProcessSpawner(
                program: try ProcessSpawner.find(program, path: String(path)), arguments: command,
                environment: environment, folder: folder.isEmpty ? "." : folder, user: nil,
                inputPath: inputFile < 0 ? "/dev/null" : "/proc/self/fd/\(inputFile)", outputFile: output.write,
                errorFile: errors.write, pfs: nil
            ).spawn()
        } catch {
            for end in [output.read, errors.read] { _ = Self.shut(end) }
            throw error
        }
        streams = [output.read, errors.read]
        for stream in streams { _ = fcntl(stream, F_SETFL, O_NONBLOCK) }
    }

    /// The worker's own variables, and over them the run's; `tools` behind all of PATH.
    private static func environment(with variables: [String], _ tools: String?) -> [String] {
        func name(_ text: String) -> Substring { text.prefix { $0 != "=" } }
        let given = Set(variables.map(name))
        let all = own.filter { !given.contains(name($0)) } + variables
        guard let tools else { return all }
        let path = all.last { $0.hasPrefix("PATH=") } ?? "PATH=/usr/local/bin:/usr/bin:/bin"
        if path.dropFirst(5).split(separator: ":").contains(Substring(tools)) { return all }
        return all.filter { !$0.hasPrefix("PATH=") } + ["\(path):\(tools)"]
    }

    /// The variables that the worker was started with.
    private static let own: [String] = (PosixFiles.read("/proc/self/environ", limit: 4 << 20) ?? [])
        .split(separator: 0).map { String(decoding: $0, as: UTF8.self) }

    private static func memoryFile(_ bytes: [UInt8]) throws -> Int32 {
        let file = spile_memory_file()
        guard file >= 0 else { throw PosixFiles.fault("make", "an input in memory") }
        do { try PosixFiles.writeAll(bytes, to: file, path: "the input") } catch {
            _ = shut(file)
            throw error
        }
        return file
    }

    private static func shut(_ file: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.close(file)
        #else
            Musl.close(file)
        #endif
    }

    // MARK: What it prints

    /// Its output and its errors, to be polled; -1 for what has ended.
    var files: [Int32] { streams }

    /// What can be read now of a stream; empty for nothing.
    mutating func read(_ index: Int, into buffer: inout [UInt8]) -> ArraySlice<UInt8> {
        let count = buffer.withUnsafeMutableBytes { PosixFiles.systemRead(streams[index], $0) }
        if count < 0, errno == EAGAIN || errno == EINTR { return [] }
        if count <= 0 {
            _ = Self.shut(streams[index])
            streams[index] = -1
        }
        return buffer[..<max(0, count)]
    }

    /// Whether something waits to be read.
    func hasMore(_ index: Int) -> Bool {
        guard streams[index] >= 0 else { return false }
        var polled = pollfd(fd: streams[index], events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) > 0
    }

    mutating func close() {
        for stream in streams where stream >= 0 { _ = Self.shut(stream) }
        streams = [-1, -1]
    }

    // MARK: Its end

    /// Whether the program is over and what it left is being ended.
    var isSweeping: Bool { status != nil }

    /// Kills the program and its group. What has left the group is ended when the program is over.
    func kill() { if status == nil { Self.signal(-leader) } }

    /// Sees to children that have ended. Once none is left, the program's end; `isWhole` is false where one could not
    /// be ended.
    mutating func reap() -> (status: Int32, isWhole: Bool)? {
        var ended: Int32 = 0
        if status == nil {
            var info = siginfo_t()
            // Not waited for yet, its number is its group's alone.
            let flags = WEXITED | WNOHANG | Int32(bitPattern: UInt32(WNOWAIT))
            if waitid(P_PID, id_t(leader), &info, flags) == 0, info.si_signo == SIGCHLD {
                Self.signal(-leader)
                while waitpid(leader, &ended, 0) < 0, errno == EINTR {}
                over(ended)
            } else {
                // What the program has left alone and has ended, and the program itself if it ends just now.
                var child = waitpid(-1, &ended, WNOHANG)
                while child > 0, child != leader { child = waitpid(-1, &ended, WNOHANG) }
                guard child == leader else { return nil }
                Self.signal(-leader)
                over(ended)
            }
        }
        guard let status, let deadline else { return nil }
        while true {
            let child = waitpid(-1, &ended, WNOHANG)
            if child > 0 { continue }
            if child < 0, errno != EINTR { return (status, true) }
            if child == 0 { break }
        }
        for child in Self.children() { Self.signal(child) }
        return monotonicSeconds() < deadline ? nil : (status, false)
    }

    private mutating func over(_ status: Int32) {
        self.status = status
        deadline = monotonicSeconds() + Self.patience
    }

    /// Waits for what has ended and nobody asked after.
    static func reapStrays() {
        var status: Int32 = 0
        while waitpid(-1, &status, WNOHANG) > 0 {}
    }

    private static func signal(_ target: pid_t) {
        #if canImport(Glibc)
            _ = Glibc.kill(target, SIGKILL)
        #else
            _ = Musl.kill(target, SIGKILL)
        #endif
    }

    /// The children of this process.
    private static func children() -> [pid_t] {
        let lists = (PosixFiles.names("/proc/self/task") ?? []).map { "/proc/self/task/\($0)/children" }
        let listed = lists.compactMap { PosixFiles.read($0) }
        if !listed.isEmpty {
            return listed.flatMap { String(decoding: $0, as: UTF8.self).split(separator: " ").compactMap { pid_t($0) } }
        }
        // Kernels that keep no such list tell each process's parent.
        return (PosixFiles.names("/proc") ?? []).compactMap(pid_t.init).filter {
            ProcessIdentity.parent(of: $0) == getpid()
        }
    }
}
