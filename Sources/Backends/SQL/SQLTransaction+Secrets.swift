import Core
import Foundation

extension SQLTransaction {
    func secrets() throws -> [SecretRecord] {
        try rows("SELECT name, type, created_at FROM secrets ORDER BY name").map(secret)
    }

    func secret(_ name: String) throws -> SecretRecord? {
        try row("SELECT name, type, created_at FROM secrets WHERE name = ?", [name]).map(secret)
    }

    private func secret(_ row: some SQLRow) throws -> SecretRecord {
        let name: String = row[0]
        let values = try rows("SELECT key, sealed FROM secret_values WHERE secret = ?", [name])
            .map { ($0[0] as String, Array($0[1] as Data)) }
        return SecretRecord(
            name: name, type: row[1], createdAt: Instant(nanoseconds: row[2]),
            values: Dictionary(uniqueKeysWithValues: values))
    }

    func insert(_ secret: SecretRecord) throws {
        try connection.insert(
            into: "secrets", "name, type, created_at",
            [secret.name, secret.type, secret.createdAt.nanoseconds])
        for (key, sealed) in secret.values.sorted(by: { $0.key < $1.key }) {
            try run(
                "INSERT INTO secret_values (secret, key, sealed) VALUES (?, ?, ?)", [secret.name, key, Data(sealed)])
        }
    }

    func deleteSecret(_ name: String) throws -> Bool {
        try run("DELETE FROM secrets WHERE name = ?", [name]) > 0
    }
}
