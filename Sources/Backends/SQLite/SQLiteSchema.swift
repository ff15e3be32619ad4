import GRDB

/// The tables, as a list of migrations; `user_version` is the number of the newest one applied.
enum SQLiteSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 projects, repos, branches, commits, pipelines, launches") { database in
            try database.execute(sql: first)
            try database.execute(sql: "PRAGMA user_version = 1")
        }
        migrator.registerMigration("2 triggers, quiet edges, layers, transactions") { database in
            try database.execute(sql: second)
            try database.execute(sql: "PRAGMA user_version = 2")
        }
        migrator.registerMigration("3 file sets") { database in
            try database.execute(sql: fileSets)
            try database.execute(sql: "PRAGMA user_version = 3")
        }
        migrator.registerMigration("4 idempotency keys") { database in
            try database.execute(sql: idempotencyKeys)
            try database.execute(sql: "PRAGMA user_version = 4")
        }
        migrator.registerMigration("5 secrets") { database in
            try database.execute(sql: secrets)
            try database.execute(sql: "PRAGMA user_version = 5")
        }
        migrator.registerMigration("6 tokens, role bindings, groups") { database in
            try database.execute(sql: access)
            try database.execute(sql: "PRAGMA user_version = 6")
        }
        migrator.registerMigration("7 jobs") { database in
            try database.execute(sql: jobs)
            try database.execute(sql: "PRAGMA user_version = 7")
        }
        migrator.registerMigration("8 what jobs took") { database in
            try database.execute(sql: jobStats)
            try database.execute(sql: "PRAGMA user_version = 8")
        }
        migrator.registerMigration("9 short cuts over commits in error") { database in
            try database.execute(sql: "ALTER TABLE commits ADD COLUMN shortcut INTEGER")
            try database.execute(sql: "PRAGMA user_version = 9")
        }
        migrator.registerMigration("10 tails of objects") { database in
            try database.execute(sql: objectTails)
            try database.execute(sql: "PRAGMA user_version = 10")
        }
        return migrator
    }

    /// Each index is one more page that every commit writes, so there are few: `commits.branch` has none and no foreign
    /// key, deleting a branch clears it through the repo's commits.
    ///
    /// Instants are nanoseconds since 1970. Ids of commits and digests are big-endian blobs. Edges are rows, so that
    /// they can be walked both ways.
    private static let first = """
        CREATE TABLE settings (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;

        CREATE TABLE projects (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            description TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            metadata TEXT NOT NULL
        );

        CREATE TABLE repos (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            description TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            metadata TEXT NOT NULL,
            UNIQUE (project, name, type)
        );

        CREATE TABLE branches (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            repo INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            head INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            metadata TEXT NOT NULL,
            UNIQUE (repo, name)
        );

        CREATE TABLE branch_provenance (
            branch INTEGER NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            upstream INTEGER NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
            PRIMARY KEY (branch, position)
        ) WITHOUT ROWID;
        CREATE INDEX branch_subvenance ON branch_provenance (upstream);

        CREATE TABLE commits (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            repo INTEGER NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
            id BLOB NOT NULL,
            branch INTEGER,
            parent INTEGER REFERENCES commits (sequence) ON DELETE SET NULL,
            origin INTEGER NOT NULL,
            description TEXT NOT NULL,
            started INTEGER NOT NULL,
            finishing INTEGER,
            finished INTEGER,
            error TEXT NOT NULL,
            root_segment INTEGER NOT NULL,
            root_slot INTEGER NOT NULL,
            root_level INTEGER NOT NULL,
            root_digest BLOB NOT NULL,
            files INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            metadata TEXT NOT NULL
        );
        CREATE UNIQUE INDEX commits_by_id ON commits (id, repo);
        CREATE INDEX commits_by_repo ON commits (repo, sequence);
        CREATE INDEX commits_by_parent ON commits (parent) WHERE parent IS NOT NULL;

        CREATE TABLE commit_provenance (
            "commit" INTEGER NOT NULL REFERENCES commits (sequence) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            upstream INTEGER NOT NULL REFERENCES commits (sequence) ON DELETE CASCADE,
            PRIMARY KEY ("commit", position)
        ) WITHOUT ROWID;
        CREATE INDEX commit_subvenance ON commit_provenance (upstream);

        CREATE TABLE pipelines (
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            version INTEGER NOT NULL,
            spec_commit BLOB NOT NULL,
            kind INTEGER NOT NULL,
            state INTEGER NOT NULL,
            reason TEXT NOT NULL,
            stopped INTEGER NOT NULL,
            parallelism INTEGER NOT NULL,
            salt TEXT NOT NULL,
            user_spec TEXT NOT NULL,
            effective_spec TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            created_by TEXT NOT NULL,
            workers_started_at INTEGER,
            metadata TEXT NOT NULL,
            PRIMARY KEY (project, name, version)
        ) WITHOUT ROWID;

        CREATE TABLE launches (
            project TEXT NOT NULL,
            pipeline TEXT NOT NULL,
            epoch INTEGER NOT NULL,
            version INTEGER NOT NULL,
            token_hash BLOB NOT NULL UNIQUE,
            handle TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            failures INTEGER NOT NULL,
            PRIMARY KEY (project, pipeline)
        ) WITHOUT ROWID;
        """

    /// A trigger is a JSON object of its fields. A layer is two roots as ``SQLRows`` writes them.
    private static let second = """
        ALTER TABLE branches ADD COLUMN trigger TEXT;
        CREATE INDEX branches_by_trigger ON branches (repo) WHERE trigger IS NOT NULL;
        ALTER TABLE branch_provenance ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE commits ADD COLUMN layer BLOB;
        ALTER TABLE commits ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;

        CREATE TABLE transactions (
            id BLOB PRIMARY KEY NOT NULL,
            started_at INTEGER NOT NULL,
            requests BLOB NOT NULL,
            responses BLOB NOT NULL
        );
        """
}
