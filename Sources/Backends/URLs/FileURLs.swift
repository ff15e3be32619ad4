import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Files of this machine by `file://`, below folders that were named at start and nowhere else.
///
/// Each element of a path is opened in the folder before it, and no symbolic link on the way is followed: nothing that
/// a link points at, and nothing that is swapped meanwhile, leads outside.
struct FileURLs: Sendable {
    private struct Folder: Sendable {
        /// As URLs may write it, without a trailing `/`.
        var prefixes: Set<String>
        var path: String
    }

    private let folders: [Folder]
    private static let deepest = 128
    private static let blockBytes = 1 << 20

    init(folders: [String]) throws {
        self.folders = try folders.map { path in
            guard let real = realpath(path, nil) else { throw PosixFiles.fault("give the files of", path) }
            defer { free(real) }
            let resolved = String(cString: real)
            guard PosixFiles.isFolder(resolved) else {
                throw SpileError(.failedPrecondition, "\(path) is no folder, so its files cannot be given")
            }
            let given = path.hasPrefix("/") ? FilePath.clean(path) : resolved
            return Folder(prefixes: [given, resolved], path: resolved)
        }
    }

    /// Blocks on the disk. See ``URLSource/fetch(_:recursive:_:)``.
    func fetch(
        _ url: SourceURL, recursive: Bool, _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let (folder, elements) = try place(url)
        var opened = try OpenFile(folder: folder)
        for element in elements { opened = try opened.open(element) }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.blockBytes, alignment: 16)
        defer { block.deallocate() }
        if opened.isFolder && !recursive {
            throw SpileError.domain("\(url) is a folder", remedy: "name a file, or ask for all below it: put file -r")
        }
        try send(opened, rest: "", depth: 0, block, receive)
    }

    private func send(
        _ file: OpenFile, rest: String, depth: Int, _ block: UnsafeMutableRawBufferPointer,
        _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) throws {
        guard file.isFolder else { return try file.read(block) { try receive(rest, $0) } }
        guard depth < Self.deepest else {
            throw SpileError.domain("\(file.path) lies more than \(Self.deepest) folders deep")
        }
        try file.forEachName { name in
            try send(file.open(name), rest: "\(rest)/\(name)", depth: depth + 1, block, receive)
        }
    }

    /// The folder that a URL's file is given from, and the way from there. Nothing is looked at on the disk.
    private func place(_ url: SourceURL) throws -> (folder: String, elements: [String]) {
        let path = try Self.path(of: url)
        guard !folders.isEmpty else {
            throw SpileError(
                .permissionDenied, "\(url): this server gives no files of its own disk",
                remedy: "start it with --allow-file-urls DIR, or send the file's bytes")
        }
        for folder in folders {
            for prefix in folder.prefixes where path == prefix || prefix == "/" || path.hasPrefix(prefix + "/") {
                let rest = prefix == "/" ? path[...] : path.dropFirst(prefix.count)
                return (folder.path, rest.split(separator: "/").map(String.init))
            }
        }
        throw SpileError(
            .permissionDenied, "\(url) is not below a folder that this server gives files from",
            remedy: "name it with --allow-file-urls when the server is started")
    }

    private static func path(of url: SourceURL) throws -> String {
        let rest = url.text.dropFirst("file://".count).prefix { $0 != "?" && $0 != "#" }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard ["", "localhost"].contains(rest[..<slash].lowercased()) else {
            throw SpileError.invalid("\(url) names another machine's file", remedy: "write file:///folder/file")
        }
        guard slash < rest.endIndex, let path = decoded(rest[slash...]), !path.utf8.contains(0) else {
            throw SpileError.invalid("\(url) names no file", remedy: "write file:///folder/file")
        }
        guard !path.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
            throw SpileError(
                .permissionDenied, "\(url) goes up and down in its path", remedy: "write the path straight")
        }
        return FilePath.clean(path)
    }

    /// Nil where that gives no UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        PercentCoding.decoded(text).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
