import Core

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension ProcessRun {
    /// Starts `spawner`'s program with its output in pipes; the caller has it watched by ``start()``. Where it throws,
    /// nothing is left of the program.
    static func begin(
        _ spawner: ProcessSpawner, deliver: @escaping @Sendable (LaunchOutput) -> Void,
        cleanUp: @escaping @Sendable () -> Void = {}
    ) throws -> ProcessRun {
        // Readers see the end of a stream only when nobody holds the writing end: ours goes with these.
        let output = try PipeEnds()
        let errors = try PipeEnds()
        var spawner = spawner
        (spawner.outputFile, spawner.errorFile) = (output.write, errors.write)
        let number = try spawner.spawn()
        do {
            guard let identity = ProcessIdentity(child: number) else {
                throw SpileError(.internal, "process \(number) cannot be seen in /proc")
            }
            let run = try ProcessRun(
                identity: identity, output: output.read, errors: errors.read, deliver: deliver, cleanUp: cleanUp)
            output.isReadTaken = true
            errors.isReadTaken = true
            return run
        } catch {
            kill(-number, SIGKILL)
            var status: Int32 = 0
            while waitpid(number, &status, 0) < 0, errno == EINTR {}
            throw error
        }
    }
}

/// The two ends of a pipe: what nobody has taken is closed with this.
private final class PipeEnds {
    let read: Int32
    let write: Int32
    var isReadTaken = false

    init() throws { (read, write) = try ProcessRun.makePipe() }

    deinit {
        if !isReadTaken { close(read) }
        close(write)
    }
}
