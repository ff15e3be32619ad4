#if PostgreSQL
    import Core
    import Foundation
    import Synchronization

    @testable import Backends

    #if canImport(Glibc)
        import Glibc
    #endif

    /// A PostgreSQL server of the tests' own, on a socket in a folder of its own. It ends with the test program,
    /// however that ends: it is told by a pipe.
    final class PostgresServer: Sendable {
        private let folder: String
        private let databases = Atomic(0)
        private let control: Pipe

        /// The one server of a run; whoever asks first waits for it to come up.
        static let shared = Result { try PostgresServer() }

        private static let programs = "/usr/lib/postgresql"

        private init() throws {
            folder = "/tmp/spile-postgres-\(getpid())"
            control = Pipe()
            let newest = try FileManager.default.contentsOfDirectory(atPath: Self.programs).compactMap(Int.init).max()
            guard let newest else {
                throw SpileError.notFound("no PostgreSQL below \(Self.programs)", remedy: "Scripts/setup.sh test")
            }
            let script = """
                set -e
                umask 077
                rm -rf "$2" && mkdir "$2"
                if [ "$(id -u)" = 0 ]; then
                    chown postgres: "$2"
                    as="setpriv --reuid=postgres --regid=postgres --init-groups"
                fi
                cd "$2"
                $as "$1/initdb" -D data -E UTF8 --locale=C.UTF-8 -A trust -U tests --no-sync >log 2>&1
                $as "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=300 >>log 2>&1 &
                server=$!
                until $as "$1/pg_isready" -q -h "$2" -U tests; do kill -0 $server; done
                chmod 711 "$2"
                echo ready
                read -r _ || true
                kill -QUIT $server
                wait $server || true
                rm -rf "$2"
                """
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", script, "postgres", "\(Self.programs)/\(newest)/bin", folder]
            let answers = Pipe()
            process.standardInput = control
            process.standardOutput = answers
            process.standardError = FileHandle.nullDevice
            try process.run()
            guard String(decoding: answers.fileHandleForReading.availableData, as: UTF8.self) == "ready\n" else {
                let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
                throw SpileError(.unavailable, "PostgreSQL did not start: \(log)")
            }
        }

        /// The address of a database.
        func address(_ database: String) -> PostgresAddress {
            PostgresAddress("host=\(folder) user=tests dbname=\(database)")
        }

        /// The database of a name, made if it is not there.
        func database(_ name: String) throws -> PostgresAddress {
            let connection = try PostgresConnection(address("postgres"))
            let isThere = try connection.execute("SELECT 1 FROM pg_database WHERE datname = ?", [name]) { $0.count > 0 }
            if !isThere { try connection.execute("CREATE DATABASE \(name) ENCODING 'UTF8' TEMPLATE template0") }
            return address(name)
        }

        /// A database that nobody has used.
        func freshDatabase() throws -> PostgresAddress {
            try database("test_\(databases.wrappingAdd(1, ordering: .relaxed).newValue)")
        }
    }
#endif
