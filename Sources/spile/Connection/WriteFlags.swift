import ArgumentParser
import Core
import GRPCCore

/// `--metadata`, `--idempotency-key` and `--expected-head` of a write, as the headers that carry them
/// (docs/EXACTLY_ONCE.md).
struct WriteFlags: Equatable, Sendable {
    /// Each `key=value`, split at the first `=`.
    var metadata: [String] = []
    var idempotencyKey: String?
    var expectedHead: String?

    /// Throws for what can never be sent.
    func headers() throws -> Metadata {
        var headers: Metadata = [:]
        for pair in metadata {
            guard let mark = pair.firstIndex(of: "="), mark != pair.startIndex else {
                throw Failure("--metadata \(pair): write key=value")
            }
            let key = Self.encoded(String(pair[..<mark]))
            let value = Self.encoded(String(pair[pair.index(after: mark)...]))
            headers.addString("\(key)=\(value)", forKey: WriteTerms.Header.metadata)
        }
        // Servers end the connection over headers of more than 16 KiB, and the others need room, too.
        let size = headers.reduce(0) { $0 + $1.key.utf8.count + $1.value.encoded().utf8.count + 32 }
        guard size <= Self.mostBytes else {
            throw Failure(
                "--metadata: \(size) bytes are more than the \(Self.mostBytes) that fit into headers; "
                    + "put more into a file, or use \"edit metadata\"")
        }
        if let idempotencyKey {
            do { try WriteTerms.checkKey(idempotencyKey) } catch {
                throw Failure("--idempotency-key: \(error.message)")
            }
            headers.addString(idempotencyKey, forKey: WriteTerms.Header.key)
        }
        if let expectedHead {
            do { _ = try ExpectedHead(expectedHead) } catch { throw Failure("--expected-head: \(error.description)") }
            headers.addString(expectedHead.isEmpty ? "none" : expectedHead, forKey: WriteTerms.Header.expectedHead)
        }
        return headers
    }

    private static let mostBytes = 12 * 1024

    /// As a header may hold it: letters, digits and a few marks as they are, everything else percent-encoded.
    static func encoded(_ text: String) -> String {
        PercentCoding.encoded(text.utf8) { NameRules.isAlphanumeric($0) || "-_./:".utf8.contains($0) }
    }
}

extension WriteFlags {
    init(form: CommandLineForm) {
        metadata = form.values("metadata")
        idempotencyKey = form.value("idempotency-key")
        expectedHead = form.value("expected-head")
    }
}

/// The same for the parser.
struct WriteOptions: ParsableArguments {
    @Option(
        name: .customLong("metadata"), parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Say this in the commit, such as the position of the source. Repeat it.", valueName: "k=v"))
    var metadata: [String] = []

    @Option(
        name: .customLong("idempotency-key"), parsing: .unconditional,
        help: ArgumentHelp(
            "Do nothing if it was done on this branch with this key already: a retry is harmless.", valueName: "key"))
    var idempotencyKey: String?

    @Option(
        name: .customLong("expected-head"), parsing: .unconditional,
        help: ArgumentHelp(
            "Fail if the branch has another head (finish: the commit another parent); none for no commit yet.",
            valueName: "id"))
    var expectedHead: String?

    init() {}

    var flags: WriteFlags {
        WriteFlags(metadata: metadata, idempotencyKey: idempotencyKey, expectedHead: expectedHead)
    }
}
