#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Foundation
#endif

/// The environment variables a command reads, by name. Passed in so that tests can give their own.
struct Environment: Sendable {
    private let lookup: @Sendable (String) -> String?

    init(_ values: [String: String] = [:]) { lookup = { values[$0] } }

    private init(lookup: @escaping @Sendable (String) -> String?) { self.lookup = lookup }

    /// The environment of this process.
    static let process = Environment(lookup: { name in getenv(name).map { String(cString: $0) } })

    /// The value, also an empty one; nil where the variable is not set.
    subscript(name: String) -> String? { lookup(name) }

    /// The value, unless it is unset or empty.
    func nonEmpty(_ name: String) -> String? {
        guard let value = lookup(name), !value.isEmpty else { return nil }
        return value
    }

    /// Reads a boolean as the original does: `1 t T TRUE true True 0 f F FALSE false False`; all else is an error.
    func flag(_ name: String) throws -> Bool {
        guard let value = nonEmpty(name) else { return false }
        guard let parsed = parseBool(value) else {
            throw Failure("\(name)=\(value) is neither true nor false; set it to true, or unset it")
        }
        return parsed
    }
}

/// A boolean as flags and variables spell it; nil for anything else.
func parseBool(_ text: String) -> Bool? {
    switch text {
    case "1", "t", "T", "true", "TRUE", "True": true
    case "0", "f", "F", "false", "FALSE", "False": false
    default: nil
    }
}

/// A failure that ends the command: `message` goes to stderr, the exit code is 1.
struct Failure: Error, CustomStringConvertible, Equatable {
    let message: String
    init(_ message: String) { self.message = message }
    var description: String { message }
}
