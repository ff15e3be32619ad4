import Core
import Foundation

/// A map of texts as one column: JSON with sorted keys, empty text for the empty map.
enum Metadata {
    static func encode(_ map: [String: String]) throws -> String {
        if map.isEmpty { return "" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(map), as: UTF8.self)
    }

    static func decode(_ text: String) throws -> [String: String] {
        if text.isEmpty { return [:] }
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        } catch {
            throw SpileError(.dataLoss, "metadata in the catalog cannot be read", cause: error)
        }
    }
}
