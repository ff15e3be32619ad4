import Core
import Versioning

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Lays files of commits out below a fresh folder, in which nobody else is at work yet.
struct InputLayer {
    let root: String
    let owner: PfsOwner
    /// FIFOs that want to be filled.
    private(set) var lazyFiles: [LazyFile] = []

    private static let pieceBytes = 256 << 10

    init(root: String, owner: PfsOwner) {
        self.root = root
        self.owner = owner
    }

    mutating func lay(_ input: LaidInput) async throws {
        try makeFolder("/" + input.name)
        let path = FilePath.clean(input.path)
        var above = "/" + input.name
        for element in path.split(separator: "/").dropLast() {
            above += "/" + element
            try makeFolder(try Self.checked(above))
        }
        var lazy: [LazyFile] = []
        let isThere = try await input.files.walk(path) { view in
            let place = try Self.checked("/" + input.name + view.path)
            if view.isDirectory {
                if view.path != "/" { try makeFolder(String(place.dropLast())) }
            } else if input.form == .lazy {
                lazy.append(try makeFIFO(place, of: input.files, view.path))
            } else {
                try write(view, of: input, to: place)
            }
            return true
        }
        guard isThere || path == "/" else {
            throw SpileError.notFound(
                "input \(input.name): there is no file \(path) in commit \(input.files.commit.key)")
        }
        lazyFiles += lazy
    }

    /// Makes a folder below the root; one that is there already is good.
    func makeFolder(_ place: String) throws {
        let path = root + place
        if !LocalFile.makeFolder(path, mode: folderMode) {
            let code = errno
            guard code == EEXIST, LocalFile.status(path)?.isFolder == true else {
                throw LocalFile.fault("lay out", "/pfs" + place, errno: code == EEXIST ? ENOTDIR : code)
            }
            return
        }
        guard chmod(path, folderMode) == 0 else { throw LocalFile.fault("open to its user", "/pfs" + place) }
        try give(path, place)
    }

    func write(_ bytes: [UInt8], to place: String) throws {
        try create(place) { file in
            if !file.writeAll(bytes) { throw LocalFile.fault("write", "/pfs" + place) }
        }
    }

    private func write(_ view: FileView, of input: LaidInput, to place: String) throws {
        let size = input.form == .empty ? 0 : view.size
        try create(place) { file in
            if input.form == .content, let entry = view.entry {
                var reader = input.files.store.reader(entry)
                while let bytes = try reader.next(maxBytes: Self.pieceBytes) {
                    if !file.writeAll(bytes) { throw LocalFile.fault("write", "/pfs" + place) }
                }
            }
            let time = InputStamp.time(of: view.path, size: size, in: input.files.commit)
            if futimens(file.number, [time, time]) != 0 { throw LocalFile.fault("set the time of", "/pfs" + place) }
        }
    }

    private func create(_ place: String, _ body: (borrowing LocalFile) throws -> Void) throws {
        guard let file = LocalFile(root + place, O_WRONLY | O_CREAT | O_TRUNC) else {
            throw LocalFile.fault("lay out", "/pfs" + place)
        }
        try body(file)
        guard fchmod(file.number, fileMode) == 0 else { throw LocalFile.fault("open to its user", "/pfs" + place) }
        if case .user(let user, let group) = owner, fchown(file.number, user, group) != 0 {
            throw LocalFile.fault("give to transform.user", "/pfs" + place)
        }
    }

    private func makeFIFO(_ place: String, of files: CommitFiles, _ name: String) throws -> LazyFile {
        let path = root + place
        guard mkfifo(path, fileMode) == 0 || errno == EEXIST, chmod(path, fileMode) == 0,
            let info = LocalFile.status(path), info.isFIFO
        else { throw LocalFile.fault("lay out", "/pfs" + place) }
        try give(path, place)
        return LazyFile(
            path: path, device: UInt64(info.st_dev), node: UInt64(info.st_ino), name: name, files: files)
    }

    private func give(_ path: String, _ place: String) throws {
        guard case .user(let user, let group) = owner else { return }
        if lchown(path, user, group) != 0 { throw LocalFile.fault("give to transform.user", "/pfs" + place) }
    }

    private var folderMode: UInt32 { owner == .everybody ? 0o777 : 0o755 }
    private var fileMode: UInt32 { owner == .everybody ? 0o666 : 0o644 }

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
