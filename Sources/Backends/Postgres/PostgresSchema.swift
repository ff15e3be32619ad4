#if PostgreSQL
    import Core

    /// The tables of SQLite's catalog in PostgreSQL's types. Texts are compared byte by byte, as there.
    enum PostgresSchema {
        /// Makes what is not there. Servers that start together do so one after the other.
        static func migrate(_ connection: PostgresConnection) throws {
            try connection.execute("BEGIN; SELECT pg_advisory_xact_lock(\(PostgresCatalog.schemaLock))")
            do {
                try connection.execute(
                    "CREATE TABLE IF NOT EXISTS spile_schema (version BIGINT NOT NULL, servers BIGINT NOT NULL)")
                let known: Int64? = try connection.execute("SELECT max(version) FROM spile_schema", []) {
                    try $0.row(0)[0]
                }
                try require(known ?? 0, at: connection.place)
                if let known {
                    for step in steps where step.version > known { try make(step.tables, on: connection) }
                    try connection.execute("UPDATE spile_schema SET version = \(PostgresCatalog.schemaVersion)")
                } else {
                    try make(tables, on: connection)
                    for step in steps { try make(step.tables, on: connection) }
                    try connection.execute(
                        "INSERT INTO spile_schema (version, servers) VALUES (\(PostgresCatalog.schemaVersion), 0)")
                }
                try connection.execute("COMMIT")
            } catch {
                if connection.isAlive { try? connection.execute("ROLLBACK") }
                throw error
            }
        }

        private static func make(_ tables: String, on connection: PostgresConnection) throws {
            try connection.execute(tables.replacing(" TEXT", with: " TEXT COLLATE \"C\""))
        }

        private static func require(_ version: Int64, at place: String) throws {
            guard version <= PostgresCatalog.schemaVersion else {
                throw SpileError(
                    .failedPrecondition,
                    "catalog \(place) has schema \(version), this program knows up to \(PostgresCatalog.schemaVersion)",
                    remedy: "run the newer program that wrote it")
            }
        }

        /// What came after the first schema of this database, oldest first.
        private static let steps: [(version: Int64, tables: String)] = [(10, tails + servers)]

        /// Bytes that do not get smaller are not compressed.
        private static let tails = """
            CREATE TABLE object_tails (
                name TEXT NOT NULL,
                start BIGINT NOT NULL,
                bytes BYTEA NOT NULL,
                PRIMARY KEY (name, start)
            );
            ALTER TABLE object_tails ALTER COLUMN bytes SET STORAGE EXTERNAL;

            """

        /// For several servers at once: whose turn it is to write, what was changed in the last turns, who is there,
        /// who leads, who collects garbage. Each has its words in ``PostgresTurn`` and ``PostgresPresence``.
        private static let servers = """
            CREATE TABLE spile_turn (turn BIGINT NOT NULL);
            INSERT INTO spile_turn (turn) VALUES (0);
            CREATE TABLE spile_changes (turn BIGINT PRIMARY KEY, about TEXT NOT NULL);
            CREATE TABLE spile_servers (
                number BIGINT PRIMARY KEY,
                place TEXT NOT NULL,
                seen TIMESTAMPTZ NOT NULL,
                ended BOOLEAN NOT NULL,
                answered BIGINT NOT NULL DEFAULT 0,
                made TEXT NOT NULL DEFAULT ''
            );
            CREATE TABLE spile_collection (number BIGINT NOT NULL, step BIGINT NOT NULL, collector BIGINT NOT NULL);
            INSERT INTO spile_collection (number, step, collector) VALUES (0, 0, 0);
            CREATE TABLE spile_leader (number BIGINT NOT NULL, until TIMESTAMPTZ NOT NULL);
            INSERT INTO spile_leader (number, until) VALUES (0, '-infinity');
            """

        /// `spile_numbers` has the last number that each table gave out: unlike a sequence it goes back with a
        /// transaction that fails, so that numbers have no gaps. `rowid` orders rows by when they came, as SQLite does
        /// by itself.
        private static let tables = """
            CREATE TABLE spile_numbers (name TEXT PRIMARY KEY, last BIGINT NOT NULL);
            INSERT INTO spile_numbers (name, last)
            SELECT name, 0 FROM unnest(ARRAY['projects', 'repos', 'branches', 'commits', 'jobs', 'cache']) AS name;

            CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);

            CREATE TABLE projects (
                id BIGINT PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                description TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                created_by TEXT NOT NULL,
                metadata TEXT NOT NULL
            );

            CREATE TABLE repos (
                id BIGINT PRIMARY KEY,
                project TEXT NOT NULL,
                name TEXT NOT NULL,
                type TEXT NOT NULL,
                description TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                metadata TEXT NOT NULL,
                UNIQUE (project, name, type)
            );

            CREATE TABLE branches (
                id BIGINT PRIMARY KEY,
                repo BIGINT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
                name TEXT NOT NULL,
                head BIGINT,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                created_by TEXT NOT NULL,
                metadata TEXT NOT NULL,
                trigger TEXT,
                UNIQUE (repo, name)
            );
            CREATE INDEX branches_by_trigger ON branches (repo) WHERE trigger IS NOT NULL;

            CREATE TABLE branch_provenance (
                branch BIGINT NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
                position BIGINT NOT NULL,
                upstream BIGINT NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
                quiet BOOLEAN NOT NULL DEFAULT FALSE,
                PRIMARY KEY (branch, position)
            );
            CREATE INDEX branch_subvenance ON branch_provenance (upstream);

            CREATE TABLE commits (
                sequence BIGINT PRIMARY KEY,
                repo BIGINT NOT NULL REFERENCES repos (id) ON DELETE CASCADE,
                id BYTEA NOT NULL,
                branch BIGINT,
                parent BIGINT REFERENCES commits (sequence) ON DELETE SET NULL,
                origin BIGINT NOT NULL,
                description TEXT NOT NULL,
                started BIGINT NOT NULL,
                finishing BIGINT,
                finished BIGINT,
                error TEXT NOT NULL,
                root_segment BIGINT NOT NULL,
                root_slot BIGINT NOT NULL,
                root_level BIGINT NOT NULL,
                root_digest BYTEA NOT NULL,
                files BIGINT NOT NULL,
                bytes BIGINT NOT NULL,
                created_by TEXT NOT NULL,
                metadata TEXT NOT NULL,
                layer BYTEA,
                forgotten BOOLEAN NOT NULL DEFAULT FALSE,
                shortcut BIGINT
            );
            CREATE UNIQUE INDEX commits_by_id ON commits (id, repo);
            CREATE INDEX commits_by_repo ON commits (repo, sequence);
            CREATE INDEX commits_by_parent ON commits (parent) WHERE parent IS NOT NULL;

            CREATE TABLE commit_provenance (
                "commit" BIGINT NOT NULL REFERENCES commits (sequence) ON DELETE CASCADE,
                position BIGINT NOT NULL,
                upstream BIGINT NOT NULL REFERENCES commits (sequence) ON DELETE CASCADE,
                PRIMARY KEY ("commit", position)
            );
            CREATE INDEX commit_subvenance ON commit_provenance (upstream, "commit");

            CREATE TABLE transactions (
                rowid BIGINT GENERATED BY DEFAULT AS IDENTITY,
                id BYTEA PRIMARY KEY,
                started_at BIGINT NOT NULL,
                requests BYTEA NOT NULL,
                responses BYTEA NOT NULL,
                owner TEXT NOT NULL DEFAULT ''
            );

            CREATE TABLE pipelines (
                project TEXT NOT NULL,
                name TEXT NOT NULL,
                version BIGINT NOT NULL,
                spec_commit BYTEA NOT NULL,
                kind BIGINT NOT NULL,
                state BIGINT NOT NULL,
                reason TEXT NOT NULL,
                stopped BOOLEAN NOT NULL,
                parallelism BIGINT NOT NULL,
                salt TEXT NOT NULL,
                user_spec TEXT NOT NULL,
                effective_spec TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                updated_at BIGINT NOT NULL,
                created_by TEXT NOT NULL,
                workers_started_at BIGINT,
                metadata TEXT NOT NULL,
                PRIMARY KEY (project, name, version)
            );

            CREATE TABLE launches (
                project TEXT NOT NULL,
                pipeline TEXT NOT NULL,
                epoch BIGINT NOT NULL,
                version BIGINT NOT NULL,
                token_hash BYTEA NOT NULL UNIQUE,
                handle TEXT NOT NULL,
                started_at BIGINT NOT NULL,
                failures BIGINT NOT NULL,
                PRIMARY KEY (project, pipeline)
            );

            CREATE TABLE jobs (
                number BIGINT PRIMARY KEY,
                project TEXT NOT NULL,
                pipeline TEXT NOT NULL,
                id BYTEA NOT NULL,
                version BIGINT NOT NULL,
                "commit" BIGINT NOT NULL,
                state BIGINT NOT NULL,
                live BOOLEAN NOT NULL,
                reason TEXT NOT NULL,
                created_at BIGINT NOT NULL,
                started_at BIGINT,
                finished_at BIGINT,
                total BIGINT NOT NULL,
                processed BIGINT NOT NULL,
                skipped BIGINT NOT NULL,
                failed BIGINT NOT NULL,
                recovered BIGINT NOT NULL,
                restarts BIGINT NOT NULL DEFAULT 0,
                download_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
                process_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
                upload_seconds DOUBLE PRECISION NOT NULL DEFAULT 0,
                download_bytes BIGINT NOT NULL DEFAULT 0,
                upload_bytes BIGINT NOT NULL DEFAULT 0
            );
            CREATE UNIQUE INDEX jobs_by_id ON jobs (id, project, pipeline);
            CREATE INDEX jobs_by_pipeline ON jobs (project, pipeline, number);
            CREATE INDEX jobs_live ON jobs (project, pipeline, number) WHERE live;
            CREATE INDEX jobs_live_of_all ON jobs (number) WHERE live;

            CREATE TABLE file_sets (
                id BYTEA PRIMARY KEY,
                token BYTEA NOT NULL,
                created BIGINT NOT NULL,
                expires BIGINT NOT NULL,
                pinned BIGINT NOT NULL,
                held BIGINT NOT NULL DEFAULT 0,
                content_segment BIGINT NOT NULL,
                content_slot BIGINT NOT NULL,
                content_level BIGINT NOT NULL,
                content_digest BYTEA NOT NULL,
                content_files BIGINT NOT NULL,
                content_bytes BIGINT NOT NULL,
                deletions_segment BIGINT NOT NULL,
                deletions_slot BIGINT NOT NULL,
                deletions_level BIGINT NOT NULL,
                deletions_digest BYTEA NOT NULL,
                deletions_files BIGINT NOT NULL,
                deletions_bytes BIGINT NOT NULL
            );
            CREATE INDEX file_sets_expiring ON file_sets ((greatest(expires, pinned))) WHERE held = 0;

            CREATE TABLE cache (
                id BIGINT PRIMARY KEY,
                key TEXT NOT NULL UNIQUE,
                value BYTEA NOT NULL,
                tag TEXT NOT NULL,
                used BIGINT NOT NULL
            );
            CREATE INDEX cache_used ON cache (used);

            CREATE TABLE cache_file_sets (
                entry BIGINT NOT NULL REFERENCES cache (id) ON DELETE CASCADE,
                file_set BYTEA NOT NULL REFERENCES file_sets (id),
                PRIMARY KEY (entry, file_set)
            );
            CREATE INDEX cache_file_sets_held ON cache_file_sets (file_set);
            CREATE FUNCTION cache_counts() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    UPDATE file_sets SET held = held + 1 WHERE id = NEW.file_set;
                ELSE
                    UPDATE file_sets SET held = held - 1 WHERE id = OLD.file_set;
                END IF;
                RETURN NULL;
            END
            $$;
            CREATE TRIGGER cache_counts AFTER INSERT OR DELETE ON cache_file_sets
                FOR EACH ROW EXECUTE FUNCTION cache_counts();

            CREATE TABLE idempotency_keys (
                branch BIGINT NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
                operation BIGINT NOT NULL,
                key TEXT NOT NULL,
                number BIGINT NOT NULL,
                sequence BIGINT NOT NULL,
                "commit" BYTEA NOT NULL,
                done_at BIGINT NOT NULL,
                PRIMARY KEY (branch, operation, key)
            );
            CREATE INDEX idempotency_keys_by_number ON idempotency_keys (branch, number);

            CREATE TABLE secrets (
                name TEXT PRIMARY KEY,
                type TEXT NOT NULL,
                created_at BIGINT NOT NULL
            );

            CREATE TABLE secret_values (
                secret TEXT NOT NULL REFERENCES secrets (name) ON DELETE CASCADE,
                key TEXT NOT NULL,
                sealed BYTEA NOT NULL,
                PRIMARY KEY (secret, key)
            );

            CREATE TABLE auth_tokens (
                hash BYTEA PRIMARY KEY,
                subject TEXT NOT NULL,
                expires_at BIGINT
            );
            CREATE INDEX auth_tokens_by_subject ON auth_tokens (subject);

            CREATE TABLE role_bindings (
                kind BIGINT NOT NULL,
                name TEXT NOT NULL,
                PRIMARY KEY (kind, name)
            );

            CREATE TABLE role_entries (
                kind BIGINT NOT NULL,
                name TEXT NOT NULL,
                subject TEXT NOT NULL,
                roles TEXT NOT NULL,
                PRIMARY KEY (kind, name, subject),
                FOREIGN KEY (kind, name) REFERENCES role_bindings (kind, name) ON DELETE CASCADE
            );

            CREATE TABLE group_members (
                member TEXT NOT NULL,
                team TEXT NOT NULL,
                spelling TEXT NOT NULL,
                PRIMARY KEY (member, team)
            );
            CREATE INDEX group_members_by_team ON group_members (team);
            """
    }
#endif
