import Core
import Foundation

/// A server that tests need and others wrote: a Python program of this repository, in an environment of its own, which
/// says in one line of JSON where it serves, and ends when its input does.
///
/// It ends with whoever holds this, at the latest with this process.
package final class PythonHelper: Sendable {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What it reads to the end, which comes when this process ends.
    private let input: Pipe
    private let process: Process
    /// What it said.
    package let line: Data

    /// Whether an environment is there, such as `.venv-s3` (Scripts/python-env.sh).
    package static func isInstalled(_ environment: String) -> Bool {
        FileManager.default.isExecutableFile(atPath: python(environment).path)
    }

    private static func python(_ environment: String) -> URL {
        root.appendingPathComponent("\(environment)/bin/python")
    }

    /// Starts `program`, a path below the repository, and waits for its line. Throws `unavailable` if it ends without
    /// one: what it wrote to its standard error tells why.
    package init(_ environment: String, _ program: String, _ arguments: [String] = []) throws {
        process = Process()
        process.executableURL = Self.python(environment)
        process.arguments = [Self.root.appendingPathComponent(program).path] + arguments
        input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            guard let piece = try output.fileHandleForReading.read(upToCount: 1), !piece.isEmpty else {
                throw SpileError(.unavailable, "\(program) ended before it said where it serves")
            }
            line += piece
        }
        self.line = line
    }
}
