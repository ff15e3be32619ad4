/// The tables that came after the first ones.
extension SQLiteSchema {
    /// `kind` is that of the wire. A binding is a row of `role_bindings` and one of `role_entries` for each subject in
    /// it; `roles` are names, parted by spaces.
    static let access = """
        CREATE TABLE auth_tokens (
            hash BLOB PRIMARY KEY NOT NULL,
            subject TEXT NOT NULL,
            expires_at INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX auth_tokens_by_subject ON auth_tokens (subject);

        CREATE TABLE role_bindings (
            kind INTEGER NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (kind, name)
        ) WITHOUT ROWID;

        CREATE TABLE role_entries (
            kind INTEGER NOT NULL,
            name TEXT NOT NULL,
            subject TEXT NOT NULL,
            roles TEXT NOT NULL,
            PRIMARY KEY (kind, name, subject),
            FOREIGN KEY (kind, name) REFERENCES role_bindings (kind, name) ON DELETE CASCADE
        ) WITHOUT ROWID;

        CREATE TABLE group_members (
            member TEXT NOT NULL,
            team TEXT NOT NULL,
            spelling TEXT NOT NULL,
            PRIMARY KEY (member, team)
        ) WITHOUT ROWID;
        CREATE INDEX group_members_by_team ON group_members (team);

        ALTER TABLE transactions ADD COLUMN owner TEXT NOT NULL DEFAULT '';
        """

    /// `held` counts the cache entries that keep a file set from expiring: the triggers see to it, also where rows go
    /// by cascade. The index holds what may expire, so that the sweep looks at nothing else.
    static let fileSets = """
        CREATE TABLE file_sets (
            id BLOB PRIMARY KEY NOT NULL,
            token BLOB NOT NULL,
            created INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            pinned INTEGER NOT NULL,
            held INTEGER NOT NULL DEFAULT 0,
            content_segment INTEGER NOT NULL,
            content_slot INTEGER NOT NULL,
            content_level INTEGER NOT NULL,
            content_digest BLOB NOT NULL,
            content_files INTEGER NOT NULL,
            content_bytes INTEGER NOT NULL,
            deletions_segment INTEGER NOT NULL,
            deletions_slot INTEGER NOT NULL,
            deletions_level INTEGER NOT NULL,
            deletions_digest BLOB NOT NULL,
            deletions_files INTEGER NOT NULL,
            deletions_bytes INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX file_sets_expiring ON file_sets (max(expires, pinned)) WHERE held = 0;

        CREATE TABLE cache (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            value BLOB NOT NULL,
            tag TEXT NOT NULL,
            used INTEGER NOT NULL
        );
        CREATE INDEX cache_used ON cache (used);

        CREATE TABLE cache_file_sets (
            entry INTEGER NOT NULL REFERENCES cache (id) ON DELETE CASCADE,
            file_set BLOB NOT NULL REFERENCES file_sets (id),
            PRIMARY KEY (entry, file_set)
        ) WITHOUT ROWID;
        CREATE INDEX cache_file_sets_held ON cache_file_sets (file_set);
        CREATE TRIGGER cache_holds AFTER INSERT ON cache_file_sets BEGIN
            UPDATE file_sets SET held = held + 1 WHERE id = NEW.file_set;
        END;
        CREATE TRIGGER cache_lets_go AFTER DELETE ON cache_file_sets BEGIN
            UPDATE file_sets SET held = held - 1 WHERE id = OLD.file_set;
        END;
        """

    /// Only calls with a key touch these tables. `number` orders the keys of a branch by age.
    static let idempotencyKeys = """
        CREATE TABLE idempotency_keys (
            branch INTEGER NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
            operation INTEGER NOT NULL,
            key TEXT NOT NULL,
            number INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            "commit" BLOB NOT NULL,
            done_at INTEGER NOT NULL,
            PRIMARY KEY (branch, operation, key)
        ) WITHOUT ROWID;
        CREATE INDEX idempotency_keys_by_number ON idempotency_keys (branch, number);
        """

    /// `live`: not terminal, with indexes of its own: there are few of those, and they are asked for again and again.
    static let jobs = """
        CREATE TABLE jobs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            project TEXT NOT NULL,
            pipeline TEXT NOT NULL,
            id BLOB NOT NULL,
            version INTEGER NOT NULL,
            "commit" INTEGER NOT NULL,
            state INTEGER NOT NULL,
            live INTEGER NOT NULL,
            reason TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            started_at INTEGER,
            finished_at INTEGER,
            total INTEGER NOT NULL,
            processed INTEGER NOT NULL,
            skipped INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            recovered INTEGER NOT NULL
        );
        CREATE UNIQUE INDEX jobs_by_id ON jobs (id, project, pipeline);
        CREATE INDEX jobs_by_pipeline ON jobs (project, pipeline, number);
        CREATE INDEX jobs_live ON jobs (project, pipeline, number) WHERE live;
        CREATE INDEX jobs_live_of_all ON jobs (number) WHERE live;
        """

    static let jobStats = """
        ALTER TABLE jobs ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN download_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN process_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN upload_seconds REAL NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN download_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE jobs ADD COLUMN upload_bytes INTEGER NOT NULL DEFAULT 0;
        """

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

    static let objectTails = """
        CREATE TABLE object_tails (
            name TEXT NOT NULL,
            start INTEGER NOT NULL,
            bytes BLOB NOT NULL,
            PRIMARY KEY (name, start)
        );
        """
}
