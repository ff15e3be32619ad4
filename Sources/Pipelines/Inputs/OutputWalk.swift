import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Goes through `/pfs/out` after its program has ended, in the order of a commit's paths (`pps.md` §6.4).
///
/// Regular files count; folders and FIFOs do not. A link stands for what it leads to: a file of an input, a folder
/// below `/pfs` with all in it, or another file. Memory is bounded, however many files a folder has: names that do not
/// fit into one batch are read again for the next.
struct OutputWalk {
    let view: PfsView
    let marks: [LaidMark]
    /// The FIFOs that lazy inputs were given.
    let lazyNodes: Set<FileNode>
    /// Whether links may lead to files of this machine outside of `/pfs`: only where the program was one of this
    /// machine's and could read no more than the server can.
    let followsLinksOut: Bool
    /// The most names of the outermost folder that are held at once.
    var batch = 64 << 10

    private static let smallestBatch = 1024

    /// A folder under way.
    private struct Level {
        /// Its path in the program's world, free of links.
        let place: String
        /// Its path in the commit; empty for the root.
        let path: String
        let limit: Int
        /// Sorted backward.
        var names: [Name] = []
        var last: Name?
        var isComplete = false
    }

    /// A name in a folder, placed as listings do: a folder is spelled with its `/`.
    private struct Name {
        var key: [UInt8]
        /// Whether a folder is meant, be it by a link.
        var isFolder: Bool
        var text: String { String(decoding: isFolder ? key.dropLast() : key[...], as: UTF8.self) }

        static func precedes(_ a: Name, _ b: Name) -> Bool { a.key.lexicographicallyPrecedes(b.key) }
    }

    func run(_ body: (OutputFile) async throws -> Void) async throws {
        guard LocalFile.status(view.local("/pfs/out"))?.isFolder == true else {
            throw SpileError(
                .failedPrecondition, "the program put something else in the place of the folder /pfs/out",
                remedy: "write files into /pfs/out, and leave the folder itself where it is")
        }
        var levels = [Level(place: "/pfs/out", path: "", limit: batch)]
        while let level = levels.indices.last {
            if levels[level].names.isEmpty, !levels[level].isComplete { try fill(&levels[level]) }
            guard let name = levels[level].names.popLast() else {
                levels.removeLast()
                continue
            }
            levels[level].last = name
            let path = levels[level].path + "/" + name.text
            switch try place(of: levels[level].place + "/" + name.text, path) {
            case nil: continue
            case .folder(let place):
                let isOpen = levels.contains { $0.place == place }
                guard !isOpen else { throw Self.circle(path) }
                levels.append(Level(place: place, path: path, limit: max(Self.smallestBatch, levels[level].limit / 2)))
            case .file(let source): try await body(OutputFile(path: try Self.validated(path), source: source))
            }
        }
    }

    /// Takes the next names of a folder: those after the last one, as many as fit.
    private func fill(_ level: inout Level) throws {
        guard let folder = LocalFolder(view.local(level.place)) else { throw LocalFile.fault("list", level.place) }
        var names: [Name] = []
        var isCut = false
        while let bytes = folder.next() {
            guard let text = String(validating: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) else {
                let shown = String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
                throw SpileError.domain("/pfs/out\(level.path)/\(shown): the name is not UTF-8")
            }
            let isFolder = isFolder(level.place + "/" + text)
            let name = Name(key: Array(text.utf8) + (isFolder ? [UInt8(ascii: "/")] : []), isFolder: isFolder)
            if let last = level.last, !Name.precedes(last, name) { continue }
            names.append(name)
            if names.count >= 2 * level.limit {
                names.sort(by: Name.precedes)
                names.removeLast(names.count - level.limit)
                isCut = true
            }
        }
        names.sort(by: Name.precedes)
        if names.count > level.limit {
            names.removeLast(names.count - level.limit)
            isCut = true
        }
        level.names = names.reversed()
        level.isComplete = !isCut
    }

    private func isFolder(_ place: String) -> Bool {
        guard let info = LocalFile.status(view.local(place)) else { return false }
        guard info.isLink, case .inside(let target) = view.resolve(place) else { return info.isFolder }
        return LocalFile.status(view.local(target))?.isFolder == true
    }

    private enum Found {
        case folder(String)
        case file(OutputFile.Source)
    }

    /// What stands at a place of the program's world; nil for what does not count.
    private func place(of place: String, _ path: String) throws -> Found? {
        guard let info = LocalFile.status(view.local(place)) else { throw LocalFile.fault("read", place) }
        guard info.isLink else { return try found(place, info, path) }
        switch view.resolve(place) {
        case .inside(let target):
            guard let info = LocalFile.status(view.local(target)) else { throw LocalFile.fault("read", target) }
            return try found(target, info, path)
        case .outside(let target): return .file(try outside(target, path))
        case .nothing:
            throw Self.refusal(path, "is a link to \(LocalFile.link(view.local(place)) ?? "?"), which is not there")
        case .circle: throw Self.circle(path)
        }
    }

    private func found(_ place: String, _ info: stat, _ path: String) throws -> Found? {
        if info.isFolder { return .folder(place) }
        if let input = input(place, info) { return .file(input) }
        if info.isRegular { return .file(.local(view.local(place))) }
        if info.isFIFO { return nil }
        throw Self.refusal(path, "is neither a file nor a folder")
    }

    /// The file of an input that a place is, if the program has left it as it was.
    private func input(_ place: String, _ info: stat) -> OutputFile.Source? {
        let parts = place.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 2)
        guard parts.count == 3 else { return nil }
        let (name, path) = (String(Substring(parts[1])), "/" + String(Substring(parts[2])))
        let isOwn = marks.contains { mark in
            guard mark.name == name else { return false }
            if mark.isLazy { return info.isFIFO && lazyNodes.contains(FileNode(info)) }
            return info.isRegular && InputStamp.isOn(info, path, seconds: mark.seconds)
        }
        return isOwn ? .input(name: name, path: path) : nil
    }

    private func outside(_ target: String, _ path: String) throws -> OutputFile.Source {
        guard followsLinksOut else {
            throw Self.refusal(path, "is a link to \(target), which is not below /pfs and so out of the server's reach")
        }
        guard let real = realpath(target, nil) else {
            throw Self.refusal(path, "is a link to \(target), which is not there")
        }
        defer { free(real) }
        let file = String(cString: real)
        guard let info = LocalFile.status(file), info.isRegular else {
            throw Self.refusal(path, "is a link to \(target), which is no file")
        }
        return .local(file)
    }

    private static func validated(_ path: String) throws -> String {
        do { return try FilePath.validated(path) } catch { throw error.wrapped("/pfs/out\(path)") }
    }

    private static func circle(_ path: String) -> SpileError {
        refusal(path, "is a link that leads back to itself")
    }

    private static func refusal(_ path: String, _ what: String) -> SpileError {
        SpileError(
            .failedPrecondition, "/pfs/out\(path) \(what)",
            remedy: "let the program copy into /pfs/out what shall be kept")
    }
}
