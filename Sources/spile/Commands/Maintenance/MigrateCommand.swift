import ArgumentParser

struct MigrateCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "migrate", abstract: "Move a store between disk and S3, SQLite and PostgreSQL.",
            discussion: """
                All that a stopped server has is copied to a place where nothing is, and proven: every slot is read \
                back and compared with its hash, every row of the catalog is compared, every commit's tree is walked. \
                --data, --catalog and --store say where the server was, as it was started; --to-data, --to-catalog and \
                --to-store where it is to be. From a folder to a bucket and a database, and back:

                  \(Program.name) migrate --data /srv/spile --to-data /srv/spile-2 \\
                    --to-catalog postgres://spile@db/spile --to-store s3://bucket/spile
                  \(Program.name) migrate --data /srv/spile-2 --catalog postgres://spile@db/spile \\
                    --store s3://bucket/spile --to-data /srv/spile-3

                Only the catalog moves, and the files get a second name, where both folders are on one file system:

                  \(Program.name) migrate --data /srv/spile --to-data /srv/spile-2 \\
                    --to-catalog postgres://spile@db/spile

                One that was cut off goes on where it was when the same command is run again. The old place stays as \
                it was: remove it when the new one is in use, and start no server on it again.
                """)
    }

    @Option(
        parsing: .unconditional,
        help: "The data folder of the server (default: $SPILE_DATA, or ~/.local/share/spile).")
    var data: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Its --catalog (default: $SPILE_CATALOG, else the data folder holds it).", valueName: "url"))
    var catalog: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Its --store (default: $SPILE_STORE, else the data folder holds it).", valueName: "url"))
    var store: String?
    @Option(
        name: .customLong("to-data"), parsing: .unconditional,
        help: ArgumentHelp("The data folder to make. Needed in any case.", valueName: "folder"))
    var toData: String
    @Option(
        name: .customLong("to-catalog"), parsing: .unconditional,
        help: ArgumentHelp(
            "The PostgreSQL database, empty, that is to hold the catalog (default: --to-data).", valueName: "url"))
    var toCatalog: String?
    @Option(
        name: .customLong("to-store"), parsing: .unconditional,
        help: ArgumentHelp(
            """
            The bucket, empty below the prefix, that is to hold the files: s3://NAME/PREFIX (default: --to-data). Keys \
            and endpoint come from the environment, as for the server.
            """, valueName: "url"))
    var toStore: String?
    @Flag(
        name: .customLong("check-data"), help: "In the end read every byte of every file once more, commit by commit.")
    var checkData = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        guard !toData.isEmpty else { throw Failure("--to-data is empty: name the folder to make") }
        let from = StoppedServer.Place(
            data: try ServerCommand.dataFolder(data, .process),
            catalog: catalog ?? Environment.process.nonEmpty("SPILE_CATALOG"),
            store: store ?? Environment.process.nonEmpty("SPILE_STORE"))
        let to = StoppedServer.Place(data: toData, catalog: toCatalog, store: toStore)
        let line = SharedStatusLine()
        defer { line.clear() }
        let summary = try StoppedServer.migrate(from: from, to: to, readsAll: checkData) { line.show($0) }
        line.clear()
        try Console.line(summary)
        var command = "\(Program.name) server --data \(toData)"
        if let toCatalog, !toCatalog.isEmpty { command += " --catalog '\(StoppedServer.shown(catalog: toCatalog))'" }
        if let toStore, !toStore.isEmpty { command += " --store \(toStore)" }
        try Console.line("Start it with: \(command)")
    }
}
