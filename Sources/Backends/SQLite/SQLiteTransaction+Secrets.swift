import Core
import Foundation
import GRDB

extension SQLiteSchema {
    /// `sealed` is what a `Sealer` gave; the key is not in the catalog.
    static let secrets = """
        CREATE TABLE secrets (
            name TEXT PRIMARY KEY NOT NULL,
            type TEXT NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;

        CREATE TABLE secret_values (
            secret TEXT NOT NULL REFERENCES secrets (name) ON DELETE CASCADE,
            key TEXT NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (secret, key)
        );
        """
}

extension SQLiteTransaction {
    func secrets() throws -> [SecretRecord] {
        try rows("SELECT name, type, created_at FROM secrets ORDER BY name").map(secret)
    }

    func secret(_ name: String) throws -> SecretRecord? {
        try row("SELECT name, type, created_at FROM secrets WHERE name = ?", [name]).map(secret)
    }

    private func secret(_ row: Row) throws -> SecretRecord {
        let name: String = row[0]
        let values = try rows("SELECT key, sealed FROM secret_values WHERE secret = ?", [name])
            .map { ($0[0] as String, Array($0[1] as Data)) }
        return SecretRecord(
            name: name, type: row[1], createdAt: Instant(nanoseconds: row[2]),
            values: Dictionary(uniqueKeysWithValues: values))
    }

    func insert(_ secret: SecretRecord) throws {
        try run(
            "INSERT INTO secrets (name, type, created_at) VALUES (?, ?, ?)",
            [secret.name, secret.type, secret.createdAt.nanoseconds])
        for (key, sealed) in secret.values.sorted(by: { $0.key < $1.key }) {
            try run(
                "INSERT INTO secret_values (secret, key, sealed) VALUES (?, ?, ?)", [secret.name, key, Data(sealed)])
        }
    }

    func deleteSecret(_ name: String) throws -> Bool {
        try run("DELETE FROM secrets WHERE name = ?", [name])
        return database.changesCount > 0
    }
}
