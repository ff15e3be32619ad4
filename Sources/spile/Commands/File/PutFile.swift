import API
import ArgumentParser
import GRPCCore

struct PutFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "Put files into a commit.",
            discussion: """
                Everything one command puts arrives together: in the branch's open commit, or in one commit of its \
                own. A file that is there already is replaced, unless -a appends to it. What stands for <path>:

                  echo hello | \(Program.name) put file logs@master:/greeting
                  \(Program.name) put file logs@master -f notes.txt            the file /notes.txt
                  \(Program.name) put file logs@master:/2026/ -f notes.txt     the file /2026/notes.txt
                  \(Program.name) put file -r logs@master:/all -f folder       what is in the folder, below /all
                  \(Program.name) put file logs@master -f https://host/a.csv   the server fetches it

                With the position of the source in the commit and a key for the retry nothing comes twice:

                  \(Program.name) put file logs@master:/7 -f batch --metadata offset=7 --idempotency-key batch-7
                """)
    }

    @Argument(help: "<repo>@<branch-or-commit>[:<path>]")
    var target: String

    @Option(
        name: [.customLong("file"), .customShort("f")], parsing: .unconditionalSingleValue,
        help: "A file, folder or URL; - is stdin, the default. Repeat it, or separate with commas.")
    var file: [String] = []

    @Option(
        name: [.customLong("input-file"), .customShort("i")], parsing: .unconditional,
        help: "A file, URL or - with one source per line, instead of -f.")
    var inputFile: String?

    @Flag(name: [.customLong("recursive"), .customShort("r")], help: "Put what is below a folder.")
    var recursive = false

    @Flag(name: [.customLong("compress"), .customShort("c")], help: "Compress the data on its way.")
    var compress = false

    @Option(
        name: [.customLong("parallelism"), .customShort("p")], parsing: .unconditional,
        help: "Accepted and not needed: one stream is as fast as the disk.")
    var parallelism = 10

    @Flag(name: [.customLong("append"), .customShort("a")], help: "Add to files that exist instead of replacing them.")
    var append = false

    @Flag(inversion: .prefixedNo, help: "Show how far it is on stderr (default: if that is a terminal).")
    var progress: Bool?

    @Flag(name: .customLong("full-path"), help: "Keep the whole path of a source, not only its last part.")
    var fullPath = false

    @Flag(name: .customLong("untar"), help: "Put the files inside .tar, .tar.gz and .tgz sources.")
    var untar = false

    @Flag(name: [.customLong("overwrite"), .customShort("o")], help: .hidden)
    var overwrite = false

    @OptionGroup var write: WriteOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    var order: Order {
        Order(
            target: target, file: file, inputFile: inputFile, recursive: recursive, compress: compress, append: append,
            progress: progress, fullPath: fullPath, untar: untar, write: write.flags,
            scope: Scope(project, global))
    }

    func run() async throws { try await order.run() }
}

extension PutFile {
    /// What to put where.
    struct Order: DirectCommand {
        var target: String
        var file: [String]
        var inputFile: String?
        var recursive: Bool
        var compress: Bool
        var append: Bool
        var progress: Bool?
        var fullPath: Bool
        var untar: Bool
        var write: WriteFlags
        var scope: Scope
    }
}

extension PutFile.Order {
    func run() async throws {
        // Flags and sources are looked at before the server is: a misspelt name fails at once.
        let headers = try write.headers()
        let path = try Reference.file(target, project: "default").path ?? ""
        let plan = try PutPlan(
            PutPlan.Request(
                path: path, sources: try sources(), recursive: recursive, fullPath: fullPath, untar: untar))
        let session = try await scope.open()
        let reference = try Reference.file(target, project: scope.name(session))
        if !session.endpoint.isWorker {
            var repo = reference.wireRepo
            repo.type = "user"
            _ = try await session.pfs.inspectRepo(.with { $0.repo = repo })
        }
        let sizes = plan.items.map { item in
            if case .file(let name) = item.source { Files.size(name) } else { Int?.none }
        }
        let total = sizes.contains { $0 == nil } ? nil : Int64(sizes.reduce(0) { $0 + ($1 ?? 0) })
        let bar = Progress(reference.description, total: total, wanted: progress)
        let upload = Upload(commit: reference.wireCommit, plan: plan, append: append, progress: bar)
        try await upload.run(session, compress: compress, headers)
    }

    private func sources() throws -> [String] {
        guard let inputFile else { return file.isEmpty ? ["-"] : expandFileFlags(file) }
        let (text, name) = try TextSource.text(inputFile, hint: "Reading the list of sources from stdin.")
        let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.isEmpty }
        if lines.isEmpty { throw Failure("\(name) names no source: write one file or URL per line") }
        return lines
    }
}
