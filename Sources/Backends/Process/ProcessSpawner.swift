import CSpawn
import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
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
    /// What stands at `/pfs` for it; nil leaves the machine's own there.
    var pfs: PfsMount?

    /// Starts it and returns its number. Where it throws, nothing is left of it.
    func spawn() throws -> pid_t {
        try pfs?.prepare()
        var step = SPILE_STEP_PROCESS
        var code: Int32 = 0
        let number = start(&step, &code)
        if number > 0 { return number }
        if let pfs, pfs.isWorthAnotherTry(step, errno: code) {
            var copy = self
            copy.pfs?.usesUserNamespace = true
            return try copy.spawn()
        }
        throw fault(step, errno: code)
    }

    private func start(_ step: inout spile_step, _ code: inout Int32) -> pid_t {
        withCStrings([program, folder, inputPath, pfs?.folder ?? "", pfs?.point ?? ""]) { texts in
            withCStrings(arguments) { arguments in
                withCStrings(environment) { environment in
                    var start = spile_program()
                    start.program = UnsafePointer(texts[0])
                    start.folder = UnsafePointer(texts[1])
                    start.input = UnsafePointer(texts[2])
                    start.arguments = arguments
                    start.environment = environment
                    (start.output, start.errors) = (outputFile, errorFile)
                    if let user {
                        start.changes_user = 1
                        (start.user, start.group) = (user.user, user.group)
                    }
                    if let pfs {
                        start.mount_source = UnsafePointer(texts[3])
                        start.mount_point = UnsafePointer(texts[4])
                        start.uses_user_namespace = pfs.usesUserNamespace ? 1 : 0
                    }
                    return spile_spawn(&start, &step, &code)
                }
            }
        }
    }

    private func fault(_ step: spile_step, errno code: Int32) -> SpileError {
        if let fault = pfs?.fault(step, errno: code) { return fault }
        switch step {
        case SPILE_STEP_USER:
            return PosixFiles.fault("become user", user.map { "\($0.user):\($0.group)" } ?? "", errno: code)
        case SPILE_STEP_INPUT: return PosixFiles.fault("read", inputPath, errno: code)
        case SPILE_STEP_FOLDER:
            return PosixFiles.fault("start in", folder, errno: code).wrapped("transform.working_dir")
        case SPILE_STEP_OUTPUT: return PosixFiles.fault("set the output of", program, errno: code)
        default: return PosixFiles.fault("start", program, errno: code)
        }
    }

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
