import API
import Core
import Versioning

/// Which files of a file set a caller wants (`pfs.md` §6): those in all of the ranges whose path all of the patterns
/// find a place in.
struct FileFilter {
    private static let longestPattern = 4096

    private(set) var range = PathRange()
    private var patterns: [Regex<AnyRegexOutput>] = []

    /// Throws `invalidArgument` for a pattern that cannot be read.
    init(_ filters: [Storage_FileFilter]) throws {
        for filter in filters {
            switch filter.filter {
            case .pathRange(let bounds):
                range = range.intersection(PathRange(lower: bounds.lower, upper: bounds.upper))
            case .pathRegex(let text): patterns.append(try Self.pattern(text))
            case nil: continue
            }
        }
    }

    /// RE2's reading of a pattern: classes such as `\w` are ASCII's, and `.` is one code point.
    private static func pattern(_ text: String) throws -> Regex<AnyRegexOutput> {
        guard text.utf8.count <= longestPattern else {
            throw SpileError.invalid("path_regex of \(text.utf8.count) bytes is longer than \(longestPattern)")
        }
        do {
            return try Regex(text).asciiOnlyCharacterClasses().wordBoundaryKind(.simple)
                .matchingSemantics(.unicodeScalar)
        } catch {
            throw SpileError.invalid(
                "path_regex \(FilePath.quoted(text)) cannot be read: \(error)",
                remedy: "use RE2's syntax; named classes, groups, repetition, alternatives and flags are taken")
        }
    }

    func accepts(_ path: String) -> Bool {
        patterns.allSatisfy { pattern in ((try? pattern.firstMatch(in: path)) ?? nil) != nil }
    }
}
