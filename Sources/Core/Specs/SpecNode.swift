/// A piece of a spec's text with its place: what both readers, JSON and YAML, make of it.
package struct SpecNode: Sendable {
    package indirect enum Content: Sendable {
        case null
        case bool(Bool)
        /// A number as written: valid JSON.
        case number(String)
        case string(String)
        case array([SpecNode])
        case object([Member])
    }

    package struct Member: Sendable {
        package var name: String
        package var line: Int
        package var value: SpecNode
    }

    package var content: Content
    /// Counted from 1.
    package var line: Int

    /// What stands here, for error texts: `a string`, `an object`.
    package var kind: String {
        switch content {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// Text that is neither JSON nor YAML, or that uses a part of YAML that specs may not use.
package struct SpecSyntaxError: Error, Sendable, CustomStringConvertible {
    package var line: Int
    package var message: String
    package var description: String { "line \(line): \(message)" }
}
