/// Paths inside a commit (`pfs.md` §1.5, §1.6).
package enum FilePath {
    /// The datum tag of what users write.
    package static let defaultDatum = "default"

    /// `path` lexically cleaned: a leading `/`, no trailing one (except the root), no empty or `.` element, and `..`
    /// taking its parent away. Any text is allowed.
    package static func clean(_ path: String) -> String {
        var elements: [Substring] = []
        for element in path.split(separator: "/", omittingEmptySubsequences: true) {
            switch element {
            case ".": continue
            case "..": _ = elements.popLast()
            default: elements.append(element)
            }
        }
        return "/" + elements.joined(separator: "/")
    }

    /// Checks a path that is to be written and returns it cleaned.
    ///
    /// Allowed is any printable UTF-8 except globbing characters; `.` and `..` elements and control characters are
    /// refused, and so is the root.
    package static func validated(_ path: String) throws(SpileError) -> String {
        guard !path.isEmpty else {
            throw .domain("path (\"\"): only printable ASCII characters allowed", remedy: "name a file, such as /a/b")
        }
        for scalar in path.unicodeScalars where !isPrintable(scalar) {
            throw .domain(
                "path (\(quoted(path))): only printable ASCII characters allowed, found U+\(hex(scalar.value))",
                remedy: "remove control characters from the path")
        }
        for character in path.utf8 where globbing.contains(character) {
            throw .domain(
                "globbing character (\(Character(UnicodeScalar(character)))) not allowed in path \(quoted(path))")
        }
        for element in path.split(separator: "/") where element == "." || element == ".." {
            throw .domain("relative file paths are not allowed: \(quoted(path))")
        }
        return clean(path)
    }

    /// The order of listings: bytewise.
    package static func precedes(_ a: some StringProtocol, _ b: some StringProtocol) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }

    /// Whether any character of `path` has a meaning in the glob language.
    package static func hasGlob(_ path: String) -> Bool { path.utf8.contains { globbing.contains($0) } }

    private static let globbing = Set("*?[]{}!()@+^".utf8)

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
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
            if isPrintable(scalar) { result.unicodeScalars.append(scalar) } else { result += "\\u{\(hex(scalar.value))}" }
        }
        return result + "\""
    }
}
