/// Any failure that Spile reports: what went wrong, with which thing, and what to do about it.
///
/// Whoever throws decides the ``Code`` and whether a retry can help; `Server` maps codes to gRPC status in one place.
/// `message` is what a user reads. Where a client matches on text, the fragment of the contract (`pfs.md` §3) is in it,
/// verbatim; `remedy` is appended after it.
package struct SpileError: Error, Sendable, CustomStringConvertible {
    /// Why it failed, coarsely: the caller's choice of what to do next.
    package enum Code: String, Sendable, CaseIterable {
        /// The request can never succeed as it stands.
        case invalidArgument
        /// The thing named does not exist.
        case notFound
        /// The thing to be made is there already.
        case alreadyExists
        /// The state of the system forbids it now.
        case failedPrecondition
        /// The state changed under the operation: read again, then retry.
        case aborted
        /// The caller's credential is missing or unknown.
        case unauthenticated
        /// The caller may not do this.
        case permissionDenied
        /// A limit was hit: disk full, a queue at its bound.
        case resourceExhausted
        /// Not now; the same request may succeed later.
        case unavailable
        /// Known to the contract, not offered by this server.
        case unimplemented
        /// Stored bytes are not what was written.
        case dataLoss
        /// The caller went away.
        case cancelled
        /// Domain errors for which the contract fixes the gRPC code UNKNOWN (`pfs.md` §3).
        case unknown
        /// A broken assumption of ours.
        case `internal`
    }

    /// What a program can act on without reading the text; sent as one of the messages of `google.rpc`.
    package enum Detail: Sendable, Equatable {
        /// The thing that is not as it has to be.
        case resource(type: String, name: String, description: String)
        /// The field of the request that is wrong, by its path, and why.
        case field(String, description: String)
    }

    package let code: Code
    /// One sentence or fragment, without a full stop at the end.
    package let message: String
    /// What the reader can do about it; empty where the message says it.
    package let remedy: String
    /// The failure underneath, if this one wraps another.
    package let cause: (any Error)?
    /// What programs read beside the text.
    package let detail: Detail?
    package let file: StaticString
    package let line: UInt

    package init(
        _ code: Code, _ message: String, remedy: String = "", cause: (any Error)? = nil, detail: Detail? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.cause = cause
        self.detail = detail
        self.file = file
        self.line = line
    }

    /// Whether the same request may succeed later without a change.
    package var isTransient: Bool { code == .unavailable || code == .aborted || code == .resourceExhausted }

    package var description: String {
        var text = message
        if !remedy.isEmpty { text += " (\(remedy))" }
        if let cause { text += ": \(cause)" }
        return text
    }

    /// The same failure seen from further out: `outer: inner`, the inner code kept.
    package func wrapped(_ outer: String) -> SpileError {
        SpileError(
            code, "\(outer): \(message)", remedy: remedy, cause: cause, detail: detail, file: file, line: line)
    }

    /// The same failure with a detail.
    package func with(_ detail: Detail) -> SpileError {
        SpileError(code, message, remedy: remedy, cause: cause, detail: detail, file: file, line: line)
    }
}

extension SpileError {
    package static func invalid(_ message: String, remedy: String = "") -> SpileError {
        SpileError(.invalidArgument, message, remedy: remedy)
    }
    package static func notFound(_ message: String, remedy: String = "") -> SpileError {
        SpileError(.notFound, message, remedy: remedy)
    }
    /// A domain error that the contract sends as UNKNOWN and clients tell by its text.
    package static func domain(_ message: String, remedy: String = "") -> SpileError {
        SpileError(.unknown, message, remedy: remedy)
    }
    /// An assumption of this program that did not hold: always a bug.
    package static func bug(_ message: String, file: StaticString = #fileID, line: UInt = #line) -> SpileError {
        SpileError(.internal, "BUG: \(message)", remedy: "please report this", file: file, line: line)
    }
}
