import Backends

/// The program that a worker of a transform is. The server starts it, users never do.
package enum WorkerCommand {
    /// Runs until the server is gone; returns the exit code. To be called on the only thread of the program.
    package static func run(_ arguments: [String]) -> Int32 { WorkerProgram.run(arguments) }
}
