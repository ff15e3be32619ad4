/// What one `put file` sends: which source goes to which path (`contract/cli.md` §2.4).
struct PutPlan: Equatable, Sendable {
    enum Source: Equatable, Sendable {
        case stdin
        case file(String)
        /// The server fetches it.
        case url(String, recursive: Bool)
        /// A local archive; its entries become files below the destination.
        case archive(String)
    }
    struct Item: Equatable, Sendable {
        let source: Source
        /// For an archive the folder its entries go to; may be empty.
        let destination: String
    }

    /// What the flags say.
    struct Request: Equatable, Sendable {
        /// The part after `:` of the argument; empty where there is none.
        var path = ""
        var sources: [String]
        var recursive = false
        var fullPath = false
        var untar = false
    }

    let items: [Item]

    init(_ request: Request) throws {
        items = try request.sources.flatMap { try Self.items(for: $0, request) }
    }

    private static func items(for source: String, _ request: Request) throws -> [Item] {
        if source == "-" {
            if request.recursive { throw Failure("-r needs a folder: stdin (-f -) is a single file") }
            return [Item(source: .stdin, destination: try destination(for: source, request))]
        }
        if isServerURL(source) {
            let target = try destination(for: source, request)
            return [Item(source: .url(source, recursive: request.recursive), destination: target)]
        }
        if request.untar, isArchive(source) {
            return [Item(source: .archive(source), destination: clean(request.path))]
        }
        switch Files.kind(source) {
        case .missing: throw Failure("cannot read \(source): No such file or directory")
        case .folder:
            guard request.recursive else { throw Failure("\(source) is a folder: add -r to put what is in it") }
            let top = try destination(for: source, request)
            return try Files.walk(source).map { file in
                let inner = file.dropFirst(source.count)
                return Item(source: .file(file), destination: clean(top + "/" + inner))
            }
        case .file, .other:
            return [Item(source: .file(source), destination: try destination(for: source, request))]
        }
    }

    /// The path a source goes to.
    static func destination(for source: String, _ request: Request) throws -> String {
        let wholePath = request.fullPath ? fullTarget(source) : Files.baseName(source)
        let joins: Bool
        if request.path.isEmpty || request.sources.count > 1 {
            joins = true
        } else if request.recursive {
            joins = request.fullPath
        } else {
            joins = request.path.hasSuffix("/")
        }
        if !joins { return clean(request.path) }
        if source == "-" {
            throw Failure("data from stdin needs a file name: write <repo>@<branch>:/path, or name a file with -f")
        }
        return clean(request.path + "/" + wholePath)
    }

    /// With `--full-path`: the source as given; of a URL its path; of `pfs://host/repo/branch/path` only the last part.
    private static func fullTarget(_ source: String) -> String {
        guard isServerURL(source), let mark = source.range(of: "://") else { return source }
        let afterScheme = source[mark.upperBound...]
        guard let slash = afterScheme.firstIndex(of: "/") else { return "" }
        let path = afterScheme[slash...].prefix { $0 != "?" && $0 != "#" }
        guard source.hasPrefix("pfs://") else { return String(path) }
        return path.split(separator: "/").dropFirst(2).joined(separator: "/")
    }

    /// Schemes the server reads from. A local file's name may hold a colon without being taken for one of them.
    static let schemes: Set<String> = ["http", "https", "s3", "gs", "gcs", "azblob", "wasb", "minio", "file", "pfs"]

    static func isServerURL(_ source: String) -> Bool {
        guard let mark = source.range(of: "://") else { return false }
        return schemes.contains(String(source[..<mark.lowerBound]).lowercased())
    }

    static func isArchive(_ name: String) -> Bool {
        [".tar", ".tar.gz", ".tgz"].contains { name.hasSuffix($0) }
    }
}

/// A slash-separated path without empty parts, `.` and `..`; never starts with a slash.
func clean(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
        if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return parts.joined(separator: "/")
}

/// The values of `-f`: each is split at commas, unless a file has exactly that name.
func expandFileFlags(_ values: [String]) -> [String] {
    values.flatMap { value in
        value.contains(",") && Files.kind(value) == .missing ? splitCommas(value) : [value]
    }
}
