import Foundation
import Synchronization

/// How a program ended.
enum Ending: Equatable, Sendable {
    case status(Int32)
    case signal(Int32)
}

/// A program started by a test: its lines on standard output, its standard error in a file, its end as an event.
///
/// `@unchecked Sendable`: `process` is changed before anyone else knows of it and only asked for its id afterwards.
final class SpawnedProgram: @unchecked Sendable {
    private struct State {
        var ending: Ending?
        var waiters: [CheckedContinuation<Ending, Never>] = []
    }

    private let process = Process()
    private let state = Mutex(State())
    private let errorPath: String
    /// Lines of standard output; ends with the program.
    let lines: AsyncStream<String>

    /// Starts `executable`, which inherits the environment except what would lead a client to another server.
    init(_ executable: String, _ arguments: [String], errorsTo errorPath: String) throws {
        self.errorPath = errorPath
        let (lines, inbox) = AsyncStream.makeStream(of: String.self)
        self.lines = lines
        let output = Pipe()
        _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
        let errors = try FileHandle(forWritingTo: URL(fileURLWithPath: errorPath))
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PACH") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        process.terminationHandler = { [weak self] process in
            self?.ended(
                process.terminationReason == .exit
                    ? .status(process.terminationStatus) : .signal(process.terminationStatus))
        }
        try process.run()
        try errors.close()
        let reader = output.fileHandleForReading
        let thread = Thread {
            var rest = Data()
            // What is there, at once; reading a count would wait for that many bytes.
            while case let piece = reader.availableData, !piece.isEmpty {
                rest += piece
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    inbox.yield(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[(end + 1)...])
                }
            }
            inbox.finish()
        }
        thread.start()
    }

    deinit { if hasEnded == false { _ = kill(process.processIdentifier, SIGKILL) } }

    private func ended(_ ending: Ending) {
        let waiters = state.withLock { state in
            state.ending = ending
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: ending) }
    }

    private var hasEnded: Bool { state.withLock { $0.ending != nil } }

    /// What it has printed on standard error so far.
    var errorText: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }

    /// Sends a signal to this one process, unless it has ended.
    func signal(_ number: Int32) { if !hasEnded { _ = kill(process.processIdentifier, number) } }

    /// Waits for its end.
    func ending() async -> Ending {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Ending? in
                if state.ending == nil { state.waiters.append(continuation) }
                return state.ending
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
