import Backends
import Foundation

/// What the init container of a pod runs: it brings the program to the pod's folder. The server asks for it, users
/// never do.
package enum ToolCommand {
    package static let name = ToolFolder.command

    /// `arguments`: the folder. Returns the exit code; says on standard error what went wrong.
    package static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count == 1 else { return fail("\(name) wants one folder") }
        do {
            try ToolFolder.copy(into: arguments[0])
            return 0
        } catch {
            return fail("\(error)")
        }
    }

    private static func fail(_ text: String) -> Int32 {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
        return 1
    }
}
