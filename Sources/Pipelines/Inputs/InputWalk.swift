import Core
import Synchronization
import Versioning

/// Goes through what a program is given and tells of it piece by piece, for whoever lays it out. One owner; blocks on
/// the store.
struct InputWalk {
    /// What FIFOs are filled with, by their numbers.
    private(set) var lazySources: [LazySource] = []

    private static let pieceBytes = 256 << 10

    /// Everything that stands at `/pfs` beside the worker's own. Throws as ``PfsFolder/lay(_:variables:at:owner:)``,
    /// and what `sink` throws.
    mutating func lay(
        _ inputs: [LaidInput], variables: [(name: String, value: String)], to sink: (LaidPiece) async throws -> Void
    ) async throws {
        for input in inputs { try input.checkName() }
        for input in inputs { try await lay(input, to: sink) }
        try await sink(.folder("/out"))
        try await sink(.file("/.env", time: nil))
        try await sink(.bytes(Array(PfsFolder.text(of: variables).utf8)))
    }

    private mutating func lay(_ input: LaidInput, to sink: (LaidPiece) async throws -> Void) async throws {
        let seconds = InputStamp.seconds(of: input.files.commit)
        try await sink(.input(name: input.name, isLazy: input.form == .lazy, seconds: seconds))
        try await sink(.folder("/" + input.name))
        let path = FilePath.clean(input.path)
        var above = "/" + input.name
        for element in path.split(separator: "/").dropLast() {
            above += "/" + element
            try await sink(.folder(try Self.checked(above)))
        }
        var lazy: [LazySource] = []
        let first = UInt32(lazySources.count)
        let isThere = try await input.files.walk(path) { view in
            let place = try Self.checked("/" + input.name + view.path)
            if view.isDirectory {
                if view.path != "/" { try await sink(.folder(String(place.dropLast()))) }
            } else if input.form == .lazy {
                try await sink(.fifo(place, number: first + UInt32(lazy.count)))
                lazy.append(LazySource(name: view.path, files: input.files))
            } else {
                try await Self.lay(view, of: input, seconds, at: place, to: sink)
            }
            return true
        }
        guard isThere || path == "/" else {
            throw SpileError.notFound(
                "input \(input.name): there is no file \(path) in commit \(input.files.commit.key)")
        }
        lazySources += lazy
    }

    private static func lay(
        _ view: FileView, of input: LaidInput, _ seconds: Int64, at place: String,
        to sink: (LaidPiece) async throws -> Void
    ) async throws {
        let size = input.form == .empty ? 0 : view.size
        try await sink(.file(place, time: InputStamp.time(of: view.path, size: size, seconds: seconds)))
        guard input.form == .content, let entry = view.entry else { return }
        var reader = input.files.store.reader(entry)
        while let bytes = try reader.next(maxBytes: pieceBytes) { try await sink(.bytes(bytes)) }
    }

    /// Refuses what would name another place than it says. No commit holds such paths; this is the last door.
    static func checked(_ place: String) throws(SpileError) -> String {
        var bytes = Substring(place).utf8
        if bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        for element in bytes.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        where element.isEmpty || element.elementsEqual(".".utf8) || element.elementsEqual("..".utf8)
            || element.contains(0)
        {
            throw .invalid("\(FilePath.quoted("/pfs" + place)) cannot be laid out: it names no file below /pfs")
        }
        return place
    }
}

/// The file of a commit that a FIFO is filled with.
struct LazySource: Sendable {
    /// Its path in the commit.
    let name: String
    let files: CommitFiles
}

/// Reads lazy files piece by piece, each from its first byte to its last, some at a time. Guarded by its mutex.
final class LazyReaders: Sendable {
    private struct Reader {
        var content: ContentReader
        var offset: UInt64
    }

    private let sources: [LazySource]
    /// Those that were read last, the latest at the end.
    private let open = Mutex<[(number: UInt32, reader: Reader)]>([])

    private static let pieceBytes = 64 << 10

    init(_ sources: [LazySource]) { self.sources = sources }

    /// As ``LazyContent``.
    func read(_ number: UInt32, from offset: UInt64) throws -> [UInt8] {
        guard Int(number) < sources.count else { throw SpileError.bug("there is no lazy file \(number)") }
        let source = sources[Int(number)]
        do {
            return try open.withLock { open in
                let index = open.firstIndex { $0.number == number && $0.reader.offset == offset }
                var reader = try index.map { open.remove(at: $0).reader } ?? Self.reader(source, offset)
                guard let bytes = try reader.content.next(maxBytes: Self.pieceBytes) else { return [] }
                reader.offset += UInt64(bytes.count)
                open.append((number, reader))
                if open.count > LazyFeeder.openAtOnce { open.removeFirst() }
                return bytes
            }
        } catch {
            let what = "cannot read \(source.name) of commit \(source.files.commit.key) for a lazy input"
            if let error = error as? SpileError { throw error.wrapped(what) }
            throw SpileError(.internal, what, cause: error)
        }
    }

    private static func reader(_ source: LazySource, _ offset: UInt64) throws -> Reader {
        guard let entry = try source.files.inspect(source.name)?.entry else {
            throw SpileError.notFound("it is not there any more")
        }
        return Reader(content: source.files.store.reader(entry, offset: offset), offset: offset)
    }
}
