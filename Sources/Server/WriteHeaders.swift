import API
import Core
import GRPCCore

/// The headers by which a write carries what its message has no field for (docs/EXACTLY_ONCE.md), as ``WriteTerms``.
enum WriteHeaders {
    private static let prefix = "spile-"
    private static let metadata = WriteTerms.Header.metadata
    private static let binaryMetadata = WriteTerms.Header.metadata + "-bin"
    private static let key = WriteTerms.Header.key
    private static let expectedHead = WriteTerms.Header.expectedHead

    /// The calls that heed them: those by which files are written.
    static let methods: Set<MethodDescriptor> = [
        PfsV2_API.Method.ModifyFile.descriptor, PfsV2_API.Method.StartCommit.descriptor,
        PfsV2_API.Method.FinishCommit.descriptor,
    ]

    /// What a call's headers say. Throws `invalidArgument` for a header that is malformed or unknown, and for any at
    /// all on a call that heeds none: a caller who relies on one must not take its silence for consent.
    static func terms(_ headers: Metadata, for method: MethodDescriptor) throws -> WriteTerms {
        // Most calls carry none: one pass, and nothing is made.
        guard let first = headers.first(where: { $0.key.hasPrefix(prefix) })?.key else { return WriteTerms() }
        guard methods.contains(method) else {
            throw SpileError.invalid(
                "\(method.method) heeds no header \(first)",
                remedy: "send it with ModifyFile, StartCommit or FinishCommit")
        }
        for (name, _) in headers where name.hasPrefix(prefix) {
            guard [metadata, binaryMetadata, key, expectedHead].contains(name) else {
                throw SpileError.invalid(
                    "unknown header \(name)",
                    remedy: "known are \(metadata), \(binaryMetadata), \(key) and \(expectedHead)")
            }
        }
        var terms = WriteTerms(metadata: try pairs(headers))
        terms.key = try single(key, headers)
        if let key = terms.key { try WriteTerms.checkKey(key) }
        terms.expectedHead = try single(expectedHead, headers).map { try ExpectedHead($0) }
        // Throws for what no commit's metadata could hold.
        _ = try MetadataEdit.Change.merge(terms.metadata).applied(to: [:])
        return terms
    }

    private static func single(_ name: String, _ headers: Metadata) throws -> String? {
        let values = Array(headers[stringValues: name])
        guard values.count <= 1 else { throw SpileError.invalid("header \(name) was sent \(values.count) times") }
        return values.first
    }

    // MARK: Pairs

    private static func pairs(_ headers: Metadata) throws -> [String: String] {
        var map: [String: String] = [:]
        func add(_ pair: (key: String, value: String), _ header: String) throws {
            if pair.key.isEmpty { throw SpileError.invalid("header \(header): a key is empty") }
            guard map.updateValue(pair.value, forKey: pair.key) == nil else {
                throw SpileError.invalid("header \(header): key \(FilePath.quoted(pair.key)) was sent twice")
            }
        }
        for value in headers[stringValues: metadata] {
            for pair in try textPairs(value) { try add(pair, metadata) }
        }
        var count = 0
        for value in headers[binaryValues: binaryMetadata] {
            count += 1
            guard let text = String(validating: value, as: UTF8.self), let pair = split(text) else {
                throw SpileError.invalid("header \(binaryMetadata): write key=value in UTF-8")
            }
            try add((String(pair.key), String(pair.value)), binaryMetadata)
        }
        guard count == headers[binaryMetadata].reduce(0, { count, _ in count + 1 }) else {
            throw SpileError.invalid("header \(binaryMetadata): a value is not base64")
        }
        return map
    }

    /// `key=value`, or several with commas between them: HTTP lets any station on the way join headers of one name.
    private static func textPairs(_ text: String) throws -> [(key: String, value: String)] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            let part = part.drop { $0 == " " }
            guard let pair = split(part) else {
                throw SpileError.invalid(
                    "header \(metadata): \(FilePath.quoted(String(part))) is not key=value",
                    remedy: "write a comma inside of one as %2C")
            }
            return (try decoded(pair.key), try decoded(pair.value))
        }
    }

    /// At the first `=`.
    private static func split(_ text: some StringProtocol) -> (key: Substring, value: Substring)? {
        let text = Substring(text)
        guard let mark = text.firstIndex(of: "=") else { return nil }
        return (text[..<mark], text[text.index(after: mark)...])
    }

    private static func decoded(_ text: Substring) throws -> String {
        guard let bytes = PercentCoding.decoded(text) else {
            throw SpileError.invalid(
                "header \(metadata): two hex digits follow each % in \(FilePath.quoted(String(text)))",
                remedy: "write % itself as %25")
        }
        guard let result = String(validating: bytes, as: UTF8.self) else {
            throw SpileError.invalid("header \(metadata): \(FilePath.quoted(String(text))) is not UTF-8")
        }
        return result
    }
}

extension CommitKey {
    /// The header that names it in an answer.
    var header: Metadata { [WriteTerms.Header.commit: .string(id.description)] }
}
