import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Lays pieces out below a fresh folder of this machine, in which nobody else is at work yet. One owner; blocks.
struct InputLayer {
    let root: String
    let owner: PfsOwner
    /// What was laid out of which input.
    private(set) var marks: [LaidMark] = []
    /// FIFOs that want to be filled.
    private(set) var lazyFiles: [LazyFile] = []
    private var current: Open?

    /// The file whose bytes come.
    private final class Open {
        let file: LocalFile
        let place: String
        let time: FileTime?

        init(_ file: consuming LocalFile, _ place: String, _ time: FileTime?) {
            self.file = file
            self.place = place
            self.time = time
        }
    }

    init(root: String, owner: PfsOwner) {
        self.root = root
        self.owner = owner
    }

    mutating func lay(_ piece: LaidPiece) throws {
        if case .bytes(let bytes) = piece { return try append(bytes) }
        try finish()
        switch piece {
        case .input(let name, let isLazy, let seconds):
            marks.append(LaidMark(name: name, isLazy: isLazy, seconds: seconds))
        case .folder(let place): try makeFolder(place)
        case .file(let place, let time): current = try create(place, time)
        case .fifo(let place, let number): lazyFiles.append(try makeFIFO(place, number))
        case .bytes: break
        }
    }

    /// To be called after the last piece.
    mutating func finish() throws {
        guard let open = current else { return }
        current = nil
        if let time = open.time {
            let spec = timespec(tv_sec: time_t(time.seconds), tv_nsec: Int(time.nanoseconds))
            if futimens(open.file.number, [spec, spec]) != 0 {
                throw LocalFile.fault("set the time of", "/pfs" + open.place)
            }
        }
        guard fchmod(open.file.number, fileMode) == 0 else {
            throw LocalFile.fault("open to its user", "/pfs" + open.place)
        }
        if case .user(let user, let group) = owner, fchown(open.file.number, user, group) != 0 {
            throw LocalFile.fault("give to transform.user", "/pfs" + open.place)
        }
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

    private func create(_ place: String, _ time: FileTime?) throws -> Open {
        guard let file = LocalFile(root + place, O_WRONLY | O_CREAT | O_TRUNC) else {
            throw LocalFile.fault("lay out", "/pfs" + place)
        }
        return Open(file, place, time)
    }

    private func append(_ bytes: [UInt8]) throws {
        guard let open = current else { throw SpileError.bug("bytes came before their file") }
        if !open.file.writeAll(bytes) { throw LocalFile.fault("write", "/pfs" + open.place) }
    }

    private func makeFIFO(_ place: String, _ number: UInt32) throws -> LazyFile {
        let path = root + place
        guard mkfifo(path, fileMode) == 0 || errno == EEXIST, chmod(path, fileMode) == 0,
            let info = LocalFile.status(path), info.isFIFO
        else { throw LocalFile.fault("lay out", "/pfs" + place) }
        try give(path, place)
        return LazyFile(path: path, node: FileNode(info), number: number)
    }

    private func give(_ path: String, _ place: String) throws {
        guard case .user(let user, let group) = owner else { return }
        if lchown(path, user, group) != 0 { throw LocalFile.fault("give to transform.user", "/pfs" + place) }
    }

    private var folderMode: UInt32 { owner == .everybody ? 0o777 : 0o755 }
    private var fileMode: UInt32 { owner == .everybody ? 0o666 : 0o644 }
}

/// An input whose files stand at `/pfs/<name>`.
struct LaidMark: Sendable {
    let name: String
    let isLazy: Bool
    /// See ``InputStamp``.
    let seconds: Int64
}
