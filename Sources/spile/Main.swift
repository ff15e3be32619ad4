import ArgumentParser
import Core
import GRPCCore
import Server

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

@main
enum Main {
    /// Not `async`: an asynchronous main gives up the main thread by unwinding it, and in a static executable the first
    /// unwinding sorts the tables of all code, which costs every command 85 ms.
    static func main() {
        // Before there is another thread: of its children's ends it hears by a signal that every thread has to block.
        if CommandLine.arguments.dropFirst().first == "worker" {
            exit(WorkerCommand.run(Array(CommandLine.arguments.dropFirst(2))))
        }
        if CommandLine.arguments.dropFirst().first == ToolCommand.name {
            exit(ToolCommand.run(Array(CommandLine.arguments.dropFirst(2))))
        }
        if CommandLine.arguments.dropFirst().first == SidecarCommand.name {
            Task.detached { exit(await SidecarCommand.run()) }
            while true { pause() }
        }
        Task.detached { exit(await Program.run(Array(CommandLine.arguments.dropFirst()))) }
        while true { pause() }
    }
}

/// Reads the argument line, runs the command, turns every failure into one message and the exit code 1.
enum Program {
    /// The name this executable was called by; help and messages use it.
    static let name = Files.baseName(CommandLine.arguments.first ?? "") == "pachctl" ? "pachctl" : "spile"

    static func run(_ arguments: [String]) async -> Int32 {
        var arguments = arguments
        if arguments.first == "help" { arguments = Array(arguments.dropFirst()) + ["--help"] }
        if let topic = Topics.text(for: arguments) {
            try? Console.write(topic)
            return 0
        }
        do {
            let form = try CommandLineForm(arguments)
            return await run(form)
        } catch {
            Console.note("Error: \(error)")
            return 1
        }
    }

    private static func run(_ form: CommandLineForm) async -> Int32 {
        let isVerbose = form.flags.contains { $0.name == "verbose" }
        do {
            if let direct = DirectCommands.command(for: form) {
                try await direct.run()
                return 0
            }
            var command = try RootCommand.parseAsRoot(form.arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue == 0 ? 0 : 1
        } catch {
            let text = describe(error, isVerbose: isVerbose)
            if let text {
                Console.note(text)
                return 1
            }
            let message = RootCommand.fullMessage(for: error)
            if RootCommand.exitCode(for: error).isSuccess {
                try? Console.line(message)
                return 0
            }
            Console.note(message)
            return 1
        }
    }

    /// One message for a failure; nil for what the argument parser words itself.
    static func describe(_ error: any Error, isVerbose: Bool) -> String? {
        switch error {
        case let error as Failure: return error.message
        case let error as SpileError: return error.description
        case let error as RPCError:
            let message = error.message.isEmpty ? "the server failed with code \(error.code)" : error.message
            guard isVerbose else { return message }
            return "\(message)\ncode: \(error.code)" + (error.cause.map { "\ncause: \($0)" } ?? "")
        case is CancellationError: return "cancelled"
        default: return nil
        }
    }
}
