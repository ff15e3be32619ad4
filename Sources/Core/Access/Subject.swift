/// Whom a token stands for, and who has roles: `user:`, `robot:`, `pipeline:`, `group:`, `pach:` or `internal:` and a
/// name, or everybody (`clients.md` §3.3).
package struct Subject: Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        case user
        case robot
        case pipeline
        case group
        /// Made by the server, such as `pach:root`.
        case pach
        /// The server's own parts.
        case `internal`
    }

    /// The text as it is stored and shown.
    package let description: String

    private init(unchecked description: String) { self.description = description }

    /// Everybody whose token is good.
    package static let everybody = Subject(unchecked: "allClusterUsers")
    /// Whoever turned authentication on.
    package static let root = Subject(unchecked: "pach:root")
    /// Stands in the server's own binding, as in the original's.
    package static let authServer = Subject(unchecked: "internal:auth-server")

    package init(_ pipeline: PipelineKey) { self.init(unchecked: "\(Kind.pipeline.rawValue):\(pipeline)") }

    /// Throws `invalidArgument` for a text without one of the prefixes, or with nothing behind it.
    package init(_ text: String) throws(SpileError) {
        if text == Self.everybody.description {
            self = .everybody
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, Kind(rawValue: String(parts[0])) != nil, !parts[1].isEmpty else {
            let prefixes = Kind.allCases.map { "\($0.rawValue):" }.joined(separator: ", ")
            throw .invalid(
                "subject \"\(text)\" has no known prefix",
                remedy: "write one of \(prefixes) and a name, or \(Self.everybody)")
        }
        self.init(unchecked: text)
    }

    /// A robot by its name, with or without the prefix (`clients.md` §3.3, Tokens).
    package init(robot text: String) throws(SpileError) {
        let prefix = "\(Kind.robot.rawValue):"
        let name = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
        guard !name.isEmpty, !name.contains(":") else {
            throw .invalid(
                "\"\(text)\" is no name of a robot", remedy: "leave colons out, except for the prefix \(prefix)")
        }
        self.init(unchecked: prefix + name)
    }

    /// A group by its name, with or without the prefix.
    package init(group text: String) throws(SpileError) {
        let prefix = "\(Kind.group.rawValue):"
        let name = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
        guard !name.isEmpty else { throw .invalid("a group's name is empty", remedy: "name the group") }
        self.init(unchecked: prefix + name)
    }

    /// Nil for everybody.
    package var kind: Kind? {
        guard let colon = description.firstIndex(of: ":") else { return nil }
        return Kind(rawValue: String(description[..<colon]))
    }

    package static func < (a: Subject, b: Subject) -> Bool { a.description < b.description }
}
