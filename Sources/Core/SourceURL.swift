/// A URL that files come from or go to, by its scheme (`pfs.md` §4.6.3).
package struct SourceURL: Sendable, Hashable, CustomStringConvertible {
    package enum Scheme: Sendable, Hashable {
        case http, https
        /// The server's own disk.
        case file
        /// An object store, by the scheme it is written with.
        case objectStore(String)
    }

    /// As given.
    package let text: String
    package let scheme: Scheme

    private static let objectStores: Set<String> = [
        "s3", "gs", "gcs", "azblob", "wasb", "minio", "test-minio",
    ]

    /// Throws `invalidArgument` for text without a scheme, for one that is unknown, and for control characters.
    package init(_ text: String) throws(SpileError) {
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: ":")), mark != text.utf8.startIndex,
            text[mark...].utf8.starts(with: "://".utf8)
        else {
            throw .invalid("\(FilePath.quoted(Self.shown(text))) is not a URL", remedy: "write https://host/path")
        }
        guard !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
            throw .invalid(
                "URL \(FilePath.quoted(Self.shown(text))) holds blanks or control characters",
                remedy: "write them as % and two hex digits")
        }
        let name = text[..<mark].lowercased()
        switch name {
        case "http": scheme = .http
        case "https": scheme = .https
        case "file": scheme = .file
        case _ where Self.objectStores.contains(name): scheme = .objectStore(name)
        default:
            throw .invalid(
                "unrecognized scheme \(FilePath.quoted(name)) in URL \(FilePath.quoted(Self.shown(text)))",
                remedy: "use http, https, s3 or file")
        }
        self.text = text
    }

    /// The text, in quotes, without a password that stands in it.
    package var description: String { FilePath.quoted(Self.shown(text)) }

    /// What of a URL may stand in a message: user and password are left out, and it is cut where it is very long.
    private static func shown(_ text: String) -> String {
        var text = text
        if let slashes = text.firstRange(of: "://") {
            let rest = text[slashes.upperBound...]
            let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            if let at = authority.lastIndex(of: "@") {
                text = String(text[..<slashes.upperBound] + "…" + rest[at...])
            }
        }
        return text.count > 300 ? String(text.prefix(300)) + "…" : text
    }
}
