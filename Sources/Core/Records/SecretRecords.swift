/// A stored secret. Secrets belong to the whole server, as on the wire (`pps.md` §14).
package struct SecretRecord: Sendable, Equatable {
    package var name: String
    /// Such as `Opaque`; nothing here acts on it.
    package var type: String
    package var createdAt: Instant
    /// By key, sealed (``Sealer``) to ``binding(of:key:)``. Never a readable value.
    package var values: [String: [UInt8]]

    package init(name: String, type: String, createdAt: Instant, values: [String: [UInt8]]) {
        self.name = name
        self.type = type
        self.createdAt = createdAt
        self.values = values
    }

    /// What a sealed value is tied to: put under another name or key it does not open (docs/FORMAT.md, Secrets).
    package static func binding(of name: String, key: String) -> [UInt8] {
        var result = Array("spile secret 1".utf8)
        for part in [name, key] {
            let length = UInt32(part.utf8.count)
            result += (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
            result += Array(part.utf8)
        }
        return result
    }
}
