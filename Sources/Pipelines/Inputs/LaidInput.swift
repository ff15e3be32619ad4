import Core
import Versioning

/// Files of one commit that a program is given below `/pfs/<name>` (`pps.md` §6.4), under their full paths.
package struct LaidInput: Sendable {
    /// How the program finds the files.
    package enum Form: Sendable {
        /// Ordinary files, whose bytes are there before it starts.
        case content
        /// Files of no bytes: `empty_files`.
        case empty
        /// FIFOs, each filled when it is opened and to be read once: `lazy`.
        case lazy
    }

    /// The input's name in the spec: a single element of a path.
    package var name: String
    /// The commit. Held for as long as this value lives, so that no collection takes its bytes away.
    package var files: CommitFiles
    /// A file, or a directory for all below it; `/` for the whole commit, be it empty.
    package var path: String
    package var form: Form

    package init(name: String, files: CommitFiles, path: String, form: Form = .content) {
        self.name = name
        self.files = files
        self.path = path
        self.form = form
    }

    /// Names in `/pfs` that are not inputs'.
    private static let taken: Set = ["", ".", "..", "out", ".env", ".scratch"]

    func checkName() throws(SpileError) { try Self.check(name: name) }

    /// Whether an input can have that name: its files stand at `/pfs/<name>`.
    static func check(name: String) throws(SpileError) {
        if taken.contains(name) || name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) {
            throw .invalid("an input cannot be named \(FilePath.quoted(name)): its files stand at /pfs/<name>")
        }
    }
}
