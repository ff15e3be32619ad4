#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import Core

/// A file of the datum that a line was printed about, as records and those who ask for them name it (`pps.md` §12).
package struct LogInput: Sendable, Equatable {
    /// As the datum has it: absolute, a directory's ends in `/`.
    package var path: String
    /// What `FileInfo.hash` showed of it.
    package var hash: Digest

    package init(path: String, hash: Digest) {
        self.path = path
        self.hash = hash
    }

    /// Whether a filter's text is the path, a directory's with its slash or without, or the hash in hexadecimal or
    /// base64.
    func isNamed(by text: String) -> Bool {
        text == path || text + "/" == path || text.lowercased() == "\(hash)" || text == base64
    }

    var base64: String { Data(hash.bytes).base64EncodedString() }

    init?(_ node: JSONValue) {
        guard let path = node["path"]?.string,
            let bytes = node["hash"]?.string.flatMap({ Data(base64Encoded: $0) }), bytes.count == Digest.byteCount
        else { return nil }
        self.init(path: path, hash: Digest(bytes))
    }
}

extension LogInput {
    init(_ file: InputFile) { self.init(path: file.path, hash: file.digest) }
}

extension Datum {
    /// Its files as records name them: the first ``LogRecord/mostInputs``.
    package var logInputs: [LogInput] {
        files.prefix(LogRecord.mostInputs).map(LogInput.init)
    }
}
