import API
import ArgumentParser
import GRPCCore
import SwiftProtobuf

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

struct GetFile: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "file", abstract: "Get a file, or with -r all files below a folder.",
            discussion: """
                The bytes go to stdout, or with -o to a file that appears only when it is whole.

                  \(Program.name) get file logs@master:/greeting
                  \(Program.name) get file logs@master^:/greeting -o before.txt
                  \(Program.name) get file -r logs@master:/ -o everything
                """)
    }

    @Argument(help: "<repo>@<branch-or-commit>:<path>; the path may be a pattern that matches one file.")
    var source: String

    @Flag(name: [.customLong("recursive"), .customShort("r")], help: "Get a folder; needs -o.")
    var recursive = false

    @Option(
        name: [.customLong("output"), .customShort("o")], parsing: .unconditional,
        help: "The file or folder to write, or the URL of an object store the server writes to.")
    var output = ""

    @Flag(inversion: .prefixedNo, help: "Show how far it is on stderr (default: if that is a terminal).")
    var progress: Bool?

    @Option(parsing: .unconditional, help: "Start at this byte.")
    var offset: Int64 = 0

    @Flag(help: "Continue a file that -o has got in part.")
    var retry = false

    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    var order: Order {
        Order(
            source: source, recursive: recursive, output: output, progress: progress, offset: offset, retry: retry,
            scope: Scope(project, global))
    }

    func run() async throws { try await order.run() }
}

extension GetFile {
    /// What to get, and where to.
    struct Order: DirectCommand {
        var source: String
        var recursive: Bool
        var output: String
        var progress: Bool?
        var offset: Int64
        var retry: Bool
        var scope: Scope
    }
}

extension GetFile.Order {
    func run() async throws {
        if recursive && output.isEmpty { throw Failure("-r needs a folder to write to: add -o <folder>") }
        let session = try await scope.open()
        let reference = try Reference.file(source, project: scope.name(session))
        let download = Download(session: session, reference: reference, wantsProgress: progress)
        do {
            if PutPlan.isServerURL(output) {
                try await download.toURL(output)
            } else if recursive {
                try await download.folder(to: output)
            } else if output.isEmpty {
                try await download.file(offset: offset)
            } else {
                try await download.file(to: output, offset: offset, continues: retry)
            }
        } catch let error as RPCError {
            var text = error.message
            if let hint = text.range(of: "Use GetFileTAR instead") {
                text.replaceSubrange(hint, with: "To get a folder, add -r and -o <folder>")
            }
            throw Failure("couldn't download \(reference.path ?? "") from \(reference.description): \(text)")
        }
    }
}

/// One `GetFile` or `GetFileTAR` stream into stdout, a file or a folder.
struct Download {
    let session: Session
    let reference: Reference
    let wantsProgress: Bool?

    /// To stdout, as it comes.
    func file(offset: Int64) async throws {
        try await stream(
            try await pattern(), offset: offset, into: .output, "stdout", Progress("", total: nil, wanted: false))
    }

    /// To a file. The bytes go to a neighbour that replaces the target at the end; with `continues`, to the file.
    func file(to path: String, offset: Int64, continues: Bool) async throws {
        let info = try await session.pfs.inspectFile(.with { $0.file = reference.wireFile })
        let file = escaped(info.file.path)
        let bar = Progress(reference.path ?? "", total: info.sizeBytes, wanted: wantsProgress)
        defer { bar.finish() }
        if continues, let have = Files.size(path) {
            let sink = try Descriptor(appending: path)
            defer { sink.close() }
            return try await stream(file, offset: Int64(have), into: sink, path, bar)
        }
        if Files.kind(path) == .folder { throw Failure("\(path) is a folder: name the file to write") }
        if Files.kind(path) == .other {
            let sink = try Descriptor(appending: path)
            defer { sink.close() }
            return try await stream(file, offset: offset, into: sink, path, bar)
        }
        let temporary = path + ".part"
        let sink = try Descriptor(creating: temporary)
        do {
            try await stream(file, offset: offset, into: sink, path, bar)
            sink.close()
        } catch {
            sink.close()
            Files.remove(temporary)
            throw error
        }
        try Files.rename(temporary, to: path)
    }

    private func stream(
        _ file: PfsV2_File, offset: Int64, into sink: Descriptor, _ name: String, _ bar: Progress
    ) async throws {
        let request = PfsV2_GetFileRequest.with {
            $0.file = file
            $0.offset = offset
        }
        try await session.pfs.getFile(request) { response in
            for try await piece in response.messages {
                try piece.value.withUnsafeBytes { try sink.write($0, to: name) }
                bar.add(piece.value.count)
            }
        }
    }

    /// The server writes to an object store.
    func toURL(_ url: String) async throws {
        let request = PfsV2_GetFileRequest.with {
            $0.file = reference.wireFile
            $0.url = url
        }
        try await session.pfs.getFileTAR(request) { response in
            for try await _ in response.messages {}
        }
    }

    /// Everything below the path, as files below `folder`; a single file is written as `folder` itself.
    func folder(to folder: String) async throws {
        let info = try await session.pfs.inspectFile(.with { $0.file = reference.wireFile })
        let bar = Progress(reference.path ?? "", total: info.sizeBytes, wanted: wantsProgress)
        defer { bar.finish() }
        let prefix = info.file.path
        let request = PfsV2_GetFileRequest.with { $0.file = escaped(prefix) }
        if info.fileType == .dir { try Files.makeFolder(folder) }
        try await session.pfs.getFileTAR(request) { response in
            var unpacker = Unpacker(folder: folder, prefix: prefix)
            defer { unpacker.close() }
            for try await piece in response.messages {
                try unpacker.take([UInt8](piece.value)[...])
                bar.add(piece.value.count)
            }
            try unpacker.finish()
        }
    }

    private static let patternMarks = "*?[]{}!()@+^\\"

    /// The path is a pattern on the server. Where its characters could mean either, the file of exactly that name wins.
    private func pattern() async throws -> PfsV2_File {
        let path = reference.path ?? ""
        guard path.contains(where: Self.patternMarks.contains), !path.contains("\\") else { return reference.wireFile }
        guard (try? await session.pfs.inspectFile(.with { $0.file = reference.wireFile })) != nil else {
            return reference.wireFile
        }
        return escaped(path)
    }

    /// A path that matches only itself.
    private func escaped(_ path: String) -> PfsV2_File {
        var file = reference.wireFile
        file.path = path.reduce(into: "") { text, character in
            if Self.patternMarks.contains(character) { text.append("\\") }
            text.append(character)
        }
        return file
    }
}

/// Writes the entries of a tar stream below a folder.
struct Unpacker {
    let folder: String
    let prefix: String
    private var reader = TarReader()
    private var open: Descriptor?
    private var path = ""

    init(folder: String, prefix: String) {
        (self.folder, self.prefix) = (folder, prefix)
    }

    mutating func take(_ chunk: ArraySlice<UInt8>) throws {
        for event in try reader.feed(chunk) {
            switch event {
            case .folder(let name):
                close()
                if let parts = try safeEntryPath(name, below: prefix) { try Files.makeFolder(below(parts)) }
            case .file(let name):
                close()
                path = try safeEntryPath(name, below: prefix).map(below) ?? folder
                try Files.makeFolder(Files.parent(path))
                open = try Descriptor(creating: path)
            case .bytes(let bytes):
                try bytes.withUnsafeBytes { try open?.write($0, to: path) }
            }
        }
    }

    private func below(_ parts: [String]) -> String { ([folder] + parts).joined(separator: "/") }

    mutating func close() {
        open?.close()
        open = nil
    }

    /// Throws if the stream ended inside an entry.
    mutating func finish() throws {
        close()
        guard reader.isBetweenEntries else { throw Failure("the archive ends in the middle of \(path)") }
    }
}
