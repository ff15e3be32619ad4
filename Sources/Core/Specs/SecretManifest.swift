#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A Kubernetes Secret manifest, read (`pps.md` §14): `metadata.name`, `type`, `data` in base64 and `stringData`.
///
/// No error that reading throws quotes a value, nor any text of the manifest beside names and keys.
package struct SecretManifest: Sendable {
    package var name: String
    package var type: String
    package var values: [String: [UInt8]]

    package static let defaultType = "Opaque"
    /// Bytes that all values of a secret may have together, as in Kubernetes.
    package static let mostBytes = 1 << 20
    private static let longestName = 253

    package init(name: String, type: String = defaultType, values: [String: [UInt8]]) {
        self.name = name
        self.type = type
        self.values = values
    }

    /// Reads a manifest in JSON or YAML. Throws `unknown` with the contract's fragments.
    package static func read(_ bytes: [UInt8]) throws(SpileError) -> SecretManifest {
        let root = try document(bytes)
        guard case .object = root else { throw fault("the manifest is no object", "write a v1 Secret") }
        if let kind = root["kind"]?.string, kind != "Secret" {
            throw fault("its kind is not Secret", "write kind: Secret")
        }
        if let suite = root["metadata"]?["labels"]?["suite"]?.string, suite != "pachyderm" {
            throw .domain("invalid suite label set on secret", remedy: "leave the label out, or set it to pachyderm")
        }
        let name = root["metadata"]?["name"]?.string ?? ""
        guard isName(name) else {
            throw .domain(
                "failed to create secret: metadata.name \"\(name.prefix(longestName))\" is not the name of a secret",
                remedy: "use lower-case letters, digits, dashes and dots, a letter or digit at both ends")
        }
        let type = root["type"]?.string ?? ""
        return SecretManifest(name: name, type: type.isEmpty ? defaultType : type, values: try values(of: root))
    }

    private static func document(_ bytes: [UInt8]) throws(SpileError) -> JSONValue {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fault("the manifest is not UTF-8", "write JSON or YAML")
        }
        do throws(SpecSyntaxError) {
            let documents = try nodes(text)
            if documents.count == 1 { return JSONValue(documents[0]) }
        } catch {
            // The reader's own words may quote what stands there.
            throw fault("line \(error.line) is neither JSON nor YAML", "check the manifest")
        }
        throw fault("the manifest is not one document", "send one secret at a time")
    }

    private static func nodes(_ text: String) throws(SpecSyntaxError) -> [SpecNode] {
        guard text.first(where: { !$0.isWhitespace }) == "{" else { return try YAMLText.documents(text) }
        do throws(SpecSyntaxError) {
            return [try JSONText.read(text)]
        } catch {
            // Flow-style YAML begins like JSON.
            guard let documents = try? YAMLText.documents(text) else { throw error }
            return documents
        }
    }

    private static func values(of root: JSONValue) throws(SpileError) -> [String: [UInt8]] {
        var values: [String: [UInt8]] = [:]
        for (key, text) in try members(of: root, "data") {
            let plain = text.filter { !$0.isNewline }
            guard let data = Data(base64Encoded: plain) else {
                throw fault("data.\(key) is not base64", "encode it, or write it plain under stringData")
            }
            values[key] = [UInt8](data)
        }
        for (key, text) in try members(of: root, "stringData") { values[key] = Array(text.utf8) }
        let size = values.reduce(0) { $0 + $1.key.utf8.count + $1.value.count }
        guard size <= mostBytes else {
            throw .domain("failed to create secret: its values have \(size) bytes, more than \(mostBytes)")
        }
        return values
    }

    private static func members(of root: JSONValue, _ field: String) throws(SpileError) -> [(String, String)] {
        guard let value = root[field], value != .null else { return [] }
        guard case .object(let members) = value else { throw fault("\(field) is no object", "write key: value") }
        var result: [(String, String)] = []
        for member in members {
            guard isKey(member.name) else {
                throw .domain(
                    "failed to create secret: a key of \(field) is not a file name",
                    remedy: "use letters, digits, dashes, underscores and dots")
            }
            switch member.value {
            case .string(let text): result.append((member.name, text))
            case .null: result.append((member.name, ""))
            default: throw fault("\(field).\(member.name) is not text", "write it in quotes")
            }
        }
        return result
    }

    private static func isName(_ name: String) -> Bool {
        func isEnd(_ byte: UInt8?) -> Bool { byte.map { isLower($0) || isDigit($0) } ?? false }
        return (1...longestName).contains(name.utf8.count) && isEnd(name.utf8.first) && isEnd(name.utf8.last)
            && name.utf8.allSatisfy { isLower($0) || isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }

    private static func isKey(_ key: String) -> Bool {
        (1...longestName).contains(key.utf8.count) && key != "." && !key.hasPrefix("..")
            && key.utf8.allSatisfy { NameRules.isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func fault(_ text: String, _ remedy: String) -> SpileError {
        .domain("failed to unmarshal secret: \(text)", remedy: remedy)
    }
}
