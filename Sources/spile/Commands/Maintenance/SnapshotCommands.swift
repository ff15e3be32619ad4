import API
import ArgumentParser

struct SnapshotCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "snapshot", abstract: "Copy the whole store to a new folder while it is in use.",
            discussion: """
                The folder is made on the server's machine and holds every commit that was answered before. On the \
                store's own file system nothing is copied that need not be: segments are shared by hard links. Another \
                disk is the better place for a backup. Where secrets are stored, the folder holds secrets.key too, \
                which opens them: keep it from others as you keep the data folder. Bring it back with restore:

                  \(Program.name) snapshot /backup/spile-monday
                  \(Program.name) restore /backup/spile-monday --data /srv/spile-again
                """)
    }

    @Argument(help: "The folder to make, on the server's machine.")
    var folder: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let path = Files.absolute(folder)
        try await session.maintenance.snapshot(.with { $0.path = path }) { response in
            var line = StatusLine()
            for try await progress in response.messages {
                guard progress.done else {
                    line.show("segments: \(progress.segmentsDone) of \(progress.segmentsTotal)")
                    continue
                }
                line.clear()
                let copied = formatSize(Int64(clamping: progress.bytesCopied))
                let linked = formatSize(Int64(clamping: progress.bytesLinked))
                try Console.line("\(path): \(progress.segmentsTotal) segments, \(copied) copied, \(linked) shared")
            }
            line.clear()
        }
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "restore", abstract: "Make a data folder from a snapshot.",
            discussion: """
                No server is needed. The data folder must not hold anything; it appears once all of the snapshot is \
                there and has been checked. Then start a server on it:

                  \(Program.name) restore /backup/spile-monday --data /srv/spile-again
                  \(Program.name) server --data /srv/spile-again
                """)
    }

    @Argument(help: "The snapshot's folder.")
    var snapshot: String
    @Option(parsing: .unconditional, help: "The data folder to make (default: $SPILE_DATA, or ~/.local/share/spile).")
    var data: String?
    @Flag(name: .customLong("check-data"), help: "Read every byte of every file, too.")
    var checkData = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let folder = try ServerCommand.dataFolder(data, .process)
        var line = StatusLine()
        defer { line.clear() }
        try StoppedServer.restore(snapshot, to: folder, data: checkData) { done, total in
            line.show(done < total ? "segments: \(done) of \(total)" : "checking")
        }
        line.clear()
        try Console.line("\(folder) is restored; start it with: \(Program.name) server --data \(folder)")
    }
}
