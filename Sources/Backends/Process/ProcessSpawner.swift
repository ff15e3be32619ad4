import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// The module of the C library hides what POSIX does not name; these are in every Linux C library of today.
@_silgen_name("posix_spawn_file_actions_addchdir_np")
private func addChangeFolder(_: UnsafeMutablePointer<posix_spawn_file_actions_t>, _: UnsafePointer<CChar>) -> Int32
@_silgen_name("syscall")
private func systemCall(_: Int, _: Int, _: Int, _: Int) -> Int
#if canImport(Glibc)
    @_silgen_name("posix_spawn_file_actions_addclosefrom_np")
    private func addCloseFrom(_: UnsafeMutablePointer<posix_spawn_file_actions_t>, _: Int32) -> Int32
#endif

/// Starts a program as the leader of a session of its own, with nothing of ours but what is given.
struct ProcessSpawner {
    var program: String
    var arguments: [String]
    var environment: [String]
    var folder: String
    var user: UserIdentity?
    /// Read as the standard input.
    var inputPath: String
    var outputFile: Int32
    var errorFile: Int32

    private static let setSession: Int16 = 0x80

    /// Starts it and returns its number. To be called on a thread that ends afterwards if ``user`` is set.
    func spawn() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputPath, O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, outputFile, 1)
        posix_spawn_file_actions_adddup2(&actions, errorFile, 2)
        _ = addChangeFolder(&actions, folder)
        #if canImport(Glibc)
            _ = addCloseFrom(&actions, 3)
        #else
            Self.closeAllOnExec()
        #endif

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Self.setSession | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))

        if let user { try Self.become(user) }
        var number = pid_t()
        let code = withCStrings(arguments) { arguments in
            withCStrings(environment) { environment in
                posix_spawn(&number, program, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw PosixFiles.fault("start", program, errno: code) }
        return number
    }

    /// Changes user and group of this thread alone, for good: a program started from it has them from the beginning.
    /// The C library's own calls would change the whole server.
    private static func become(_ identity: UserIdentity) throws {
        #if arch(x86_64)
            let (setGroups, setGroup, setUser) = (116, 119, 117)
        #else
            let (setGroups, setGroup, setUser) = (159, 149, 147)
        #endif
        var groups = [identity.group]
        let (group, user) = (Int(identity.group), Int(identity.user))
        let isDone =
            groups.withUnsafeMutableBytes { systemCall(setGroups, 1, Int(bitPattern: $0.baseAddress), 0) } == 0
            && systemCall(setGroup, group, group, group) == 0 && systemCall(setUser, user, user, user) == 0
        guard isDone else { throw PosixFiles.fault("become user", "\(identity.user):\(identity.group)") }
    }

    #if !canImport(Glibc)
        private static func closeAllOnExec() {
            for name in PosixFiles.names("/proc/self/fd") ?? [] {
                if let file = Int32(name), file > 2 { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
            }
        }
    #endif

    private func withCStrings<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    /// The file that a command's first word names: looked up in `path` unless it holds a slash.
    static func find(_ command: String, path: String) throws(SpileError) -> String {
        if command.contains("/") { return command }
        for folder in path.split(separator: ":") where folder.hasPrefix("/") {
            let file = "\(folder)/\(command)"
            if access(file, X_OK) == 0, !PosixFiles.isFolder(file) { return file }
        }
        throw SpileError(
            .failedPrecondition, "transform.cmd[0]: there is no program \"\(command)\" on this machine",
            remedy: "PATH is \(path); in the process launcher transform.image is not used")
    }
}
