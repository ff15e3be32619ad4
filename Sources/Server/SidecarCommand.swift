import Backends
import Core
import Foundation
import Pipelines

/// The program that stands beside a worker on another machine. Launchers start it, users never do.
package enum SidecarCommand {
    package static let name = LaunchSidecar.command

    private static let threads = 4

    /// Runs until the server or the worker is gone; returns the exit code. The environment has to tell of the server.
    package static func run() async -> Int32 {
        let environment = ProcessInfo.processInfo.environment
        let executor = IOExecutor(threads: threads)
        return await Task(executorPreference: executor) {
            do {
                let files = try SidecarStage(folder: "")
                await (try Sidecar(try place(environment), files: files, ports: LoopbackDatumPorts())).run()
                return 0
            } catch {
                try? FileHandle.standardError.write(contentsOf: Data("\(name): \(error)\n".utf8))
                return 1
            }
        }.value
    }

    private static func place(_ environment: [String: String]) throws(SpileError) -> LaunchSidecar {
        guard let host = environment[LaunchSidecar.hostVariable],
            let port = environment[LaunchSidecar.portVariable].flatMap({ Int($0) }),
            let key = environment[LaunchSidecar.keyVariable]
        else {
            throw SpileError(
                .invalidArgument,
                "started by a launcher alone, with \(LaunchSidecar.hostVariable), "
                    + "\(LaunchSidecar.portVariable) and \(LaunchSidecar.keyVariable)")
        }
        return LaunchSidecar(host: host, port: port, key: key)
    }
}
