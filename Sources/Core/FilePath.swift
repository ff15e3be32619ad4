/// Paths inside a commit (`pfs.md` §1.5, §1.6).
package enum FilePath {
    /// The datum tag of what users write.
    package static let defaultDatum = "default"

    /// `path` lexically cleaned: a leading `/`, no trailing one (except the root), no empty or `.` element, and `..`
    /// taking its parent away. Any text is allowed; separators are bytes, whatever marks follow them.
    package static func clean(_ path: String) -> String {
        var elements: [Substring] = []
        for element in self.elements(of: path) {
            if element.utf8.elementsEqual(".".utf8) { continue }
            if element.utf8.elementsEqual("..".utf8) { _ = elements.popLast() } else { elements.append(element) }
        }
        return "/" + elements.joined(separator: "/")
    }

    /// Checks a path that is to be written and returns it cleaned.
    ///
    /// Allowed is any printable UTF-8 except globbing characters, up to ``Limits/pathBytes``; `.` and `..` elements,
    /// control characters and the root are refused.
    package static func validated(_ path: String) throws(SpileError) -> String {
        if isPlainAndClean(path) { return path }
        guard !path.isEmpty else {
            throw .domain("path (\"\"): only printable ASCII characters allowed", remedy: "name a file, such as /a/b")
        }
        guard path.utf8.count <= Limits.pathBytes else {
            throw .domain("path of \(path.utf8.count) bytes is longer than \(Limits.pathBytes) bytes")
        }
        for scalar in path.unicodeScalars where !isPrintable(scalar) {
            throw .domain(
                "path (\(quoted(path))): only printable ASCII characters allowed, found U+\(hex(scalar.value))",
                remedy: "remove control characters from the path")
        }
        for character in path.utf8 where isGlobbing(character) {
            throw .domain(
                "globbing character (\(Character(UnicodeScalar(character)))) not allowed in path \(quoted(path))")
        }
        for element in elements(of: path)
        where element.utf8.elementsEqual(".".utf8) || element.utf8.elementsEqual("..".utf8) {
            throw .domain("relative file paths are not allowed: \(quoted(path))")
        }
        let cleaned = clean(path)
        guard cleaned.utf8.count > 1 else {
            throw .domain("path \(quoted(path)) names no file", remedy: "name a file, such as /a/b")
        }
        return cleaned
    }

    /// Whether `path` is what nearly all are: ASCII, allowed throughout, clean already. One pass, nothing allocated.
    private static func isPlainAndClean(_ path: String) -> Bool {
        var path = path
        return path.withUTF8 { bytes in
            guard bytes.count > 1, bytes.count <= Limits.pathBytes, bytes[0] == UInt8(ascii: "/") else { return false }
            var previous = UInt8(ascii: "/")
            for byte in bytes.dropFirst() {
                guard byte >= 0x20, byte < 0x7f, !isGlobbing(byte) else { return false }
                // A dot or a separator after a separator needs the closer look.
                let needsCloserLook = byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".")
                if needsCloserLook, previous == UInt8(ascii: "/") { return false }
                previous = byte
            }
            return previous != UInt8(ascii: "/")
        }
    }

    @inline(__always)
    private static func isGlobbing(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"),
            UInt8(ascii: "}"), UInt8(ascii: "!"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "@"),
            UInt8(ascii: "+"), UInt8(ascii: "^"):
            true
        default: false
        }
    }

    /// The parts of a path between its separators, empty ones left out.
    private static func elements(of path: String) -> [Substring] {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: true).map { Substring($0) }
    }

    /// Whether `path` begins with `prefix`, byte by byte: spellings that only look alike differ.
    package static func has(_ path: String, prefix: String) -> Bool { path.utf8.starts(with: prefix.utf8) }

    /// Whether `path` names the root in so many words: `/`, or several of them. An empty path names nothing.
    package static func isRoot(_ path: String) -> Bool {
        !path.isEmpty && path.utf8.allSatisfy { $0 == UInt8(ascii: "/") }
    }

    /// Whether the last byte of `path` is a separator.
    package static func endsInSeparator(_ path: String) -> Bool { path.utf8.last == UInt8(ascii: "/") }

    /// `path` without its first `count` bytes, which end at a separator.
    package static func dropping(_ count: Int, from path: String) -> Substring { Substring(path.utf8.dropFirst(count)) }

    /// The order of listings: bytewise.
    package static func precedes(_ a: some StringProtocol, _ b: some StringProtocol) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    private static func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// `text` fit for an error message: in quotes, control characters escaped.
    package static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            if isPrintable(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(hex(scalar.value))}"
            }
        }
        return result + "\""
    }
}
