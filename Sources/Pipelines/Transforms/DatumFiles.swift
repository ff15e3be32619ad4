import Core

/// The files of one try of a datum, from what its code is given to what it leaves. Owned by the datum's task; blocks on
/// disk.
protocol DatumFiles {
    /// Where they stand for a launch of its own; nil where they are a worker's alone.
    var folder: String? { get }

    /// Puts them where the worker's code finds them.
    mutating func enter(_ seat: WorkerPool.Seat) async throws

    /// Takes them away from there again, after a run with that result or none; gives the result as it is now, and
    /// whether the worker can be used for another datum, which it cannot where this throws.
    mutating func leave(
        _ seat: WorkerPool.Seat, after result: DatumAttempt.Result?
    ) async throws -> (result: DatumAttempt.Result?, isSeatGood: Bool)

    /// Takes what the code left, if it has not been taken; returns how many bytes. Throws what keeps it from being
    /// taken, which is the code's fault or not.
    mutating func take() async throws -> UInt64

    /// Seconds of the time between ``enter(_:)`` and ``leave(_:after:)`` in which files were moved, and no code ran.
    var movingSeconds: (in: Double, out: Double) { get }

    /// Lets go of all. May be called again.
    func remove() async throws
}

/// Files that are laid out on this machine, while the worker may have another datum.
struct NearFiles: DatumFiles {
    private var pfs: PfsFolder
    private let datum: Digest
    private let output: JobOutput

    init(_ pfs: PfsFolder, of datum: Digest, into output: JobOutput) {
        self.pfs = pfs
        self.datum = datum
        self.output = output
    }

    var folder: String? { pfs.path }
    var movingSeconds: (in: Double, out: Double) { (0, 0) }

    mutating func enter(_ seat: WorkerPool.Seat) async throws { try pfs.enter(try Self.stage(of: seat)) }

    mutating func leave(
        _ seat: WorkerPool.Seat, after result: DatumAttempt.Result?
    ) async throws -> (result: DatumAttempt.Result?, isSeatGood: Bool) {
        // What keeps a lazy file from being read is told when the folder is taken.
        try? await pfs.finish()
        try pfs.leave(try Self.stage(of: seat))
        return (result, true)
    }

    mutating func take() async throws -> UInt64 {
        try await pfs.finish()
        return try await output.take(pfs, of: datum)
    }

    func remove() async throws { try await pfs.remove() }

    private static func stage(of seat: WorkerPool.Seat) throws -> PfsStage {
        guard case .near(let stage) = seat.place else { throw SpileError.bug("a far worker was given a folder") }
        return stage
    }
}

/// Files that are sent to a worker and taken from it while it has the datum.
struct FarFiles: DatumFiles {
    let inputs: [LaidInput]
    let variables: [(name: String, value: String)]
    let datum: Digest
    let output: JobOutput
    let clock: any Clock
    private(set) var movingSeconds: (in: Double, out: Double) = (0, 0)
    private var taken: UInt64 = 0

    init(
        _ inputs: [LaidInput], variables: [(name: String, value: String)], of datum: Digest, into output: JobOutput,
        clock: any Clock
    ) {
        self.inputs = inputs
        self.variables = variables
        self.datum = datum
        self.output = output
        self.clock = clock
    }

    var folder: String? { nil }

    mutating func enter(_ seat: WorkerPool.Seat) async throws {
        let (began, worker) = (clock.now(), try Self.worker(of: seat))
        defer { movingSeconds.in += clock.now().seconds(since: began) }
        var walk = InputWalk()
        try await walk.lay(inputs, variables: variables) { piece in
            try Task.checkCancellation()
            try await worker.lay(piece)
        }
        let readers = LazyReaders(walk.lazySources)
        try await worker.finishLaying { try readers.read($0, from: $1) }
    }

    mutating func leave(
        _ seat: WorkerPool.Seat, after result: DatumAttempt.Result?
    ) async throws -> (result: DatumAttempt.Result?, isSeatGood: Bool) {
        let (began, worker) = (clock.now(), try Self.worker(of: seat))
        defer { movingSeconds.out += clock.now().seconds(since: began) }
        var result = result
        if case .lost = result { return (result, false) }
        if case .good = result {
            do { taken = try await output.take(from: worker, inputs, of: datum) } catch {
                guard let fault = DatumAttempt.codesFault(error) else { throw error }
                result = .failed(fault)
            }
        }
        // What has been taken counts, whatever becomes of the worker.
        do {
            try await worker.clear()
            return (result, true)
        } catch {
            if result == nil { throw error }
            return (result, false)
        }
    }

    mutating func take() async throws -> UInt64 { taken }
    func remove() async throws {}

    private static func worker(of seat: WorkerPool.Seat) throws -> any FarWorker {
        guard case .far(let worker) = seat.place else { throw SpileError.bug("a near worker was to be sent files") }
        return worker
    }
}
