/// A worker whose `/pfs` is not of this machine: what shall stand there is sent, what code leaves there is sent back,
/// and its calls for datums come to ``open(_:)``'s desk from where it runs.
///
/// Whoever has the worker makes one call after the other. All throw ``WorkerGone``. What ``keep(_:)``,
/// ``finishLaying(_:)`` and ``take(to:)`` throw of the files themselves leaves the worker as it was; where a task is
/// cancelled while it takes, and where a sink throws, the worker is given up.
package protocol FarWorker: Worker, DatumPorts {
    /// Lays out files that stay from run to run; returns where code finds them, in their order.
    func keep(_ files: [WorkerFile]) async throws -> [String]

    /// Sends a piece of what shall stand at `/pfs`. Waits while the worker does not take it.
    func lay(_ piece: LaidPiece) async throws

    /// Waits until all that was sent is laid out. Files that are read as they are opened come from `content`, a piece
    /// at a time, until ``take(to:)`` or ``clear()``. Throws what could not be laid out.
    func finishLaying(_ content: @escaping LazyContent) async throws

    /// Hands on what stands in `/pfs/out`, in the order of a commit's paths. No run may be under way. Throws, like
    /// ``finishLaying(_:)``, what is the files' own fault with the code that a machine's own files would have given,
    /// and what `sink` throws, which gets no more then.
    func take(to sink: any TakenSink) async throws

    /// Removes all that is at `/pfs` but what was kept.
    func clear() async throws
}

/// Variables that a far worker's own launch tells: no run lays others over them (`pps.md` §6.1).
package enum FarVariables {
    package static let names: Set<String> = ["PPS_POD_NAME", "PPS_WORKER_IP", "PACH_NAMESPACE"]
}

/// The worker is not there any more: another one will do.
package struct WorkerGone: Error {
    package init() {}
}

/// A file that stays beside a worker's code from run to run: path without folders, bytes, mode.
package struct WorkerFile: Sendable, Equatable {
    package var path: String
    package var bytes: [UInt8]
    package var mode: UInt32

    package init(path: String, bytes: [UInt8], mode: UInt32) {
        self.path = path
        self.bytes = bytes
        self.mode = mode
    }
}

/// A piece of what is laid out at `/pfs`. Places are absolute there: `/in/a` stands at `/pfs/in/a`. Folders come before
/// what is in them, bytes after their file.
package enum LaidPiece: Sendable, Equatable {
    /// What follows below `/name` is this input's, `seconds` after 1970 being its commit's time.
    case input(name: String, isLazy: Bool, seconds: Int64)
    /// May be there already.
    case folder(String)
    /// `time`: of its last change, nil for now.
    case file(String, time: FileTime?)
    case bytes([UInt8])
    /// A FIFO that is filled when it is opened, by the number under which its content is asked for.
    case fifo(String, number: UInt32)
}

/// When a file was last changed, since 1970.
package struct FileTime: Sendable, Equatable {
    package var seconds: Int64
    package var nanoseconds: Int32

    package init(seconds: Int64, nanoseconds: Int32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// The bytes of a FIFO by its number, from an offset on; empty at the end. Any thread may call; blocks.
package typealias LazyContent = @Sendable (_ number: UInt32, _ offset: UInt64) throws -> [UInt8]

/// Gets what code left in `/pfs/out`, by the paths of a commit, from one task.
package protocol TakenSink: AnyObject {
    /// A file, whose content follows.
    func begin(_ path: String) throws
    func add(_ bytes: [UInt8]) throws
    /// A chunk of the content by its hash, cut as the store does; false where its bytes have to be added.
    func add(chunk hash: Digest, length: Int) throws -> Bool
    /// A file of an input as it is in its commit.
    func put(_ path: String, name: String, source: String) throws
}

/// The files at `/pfs` where a far worker runs, as its sidecar has them. One caller, one call at a time.
/// Blocks on disk.
package protocol SidecarFiles: AnyObject, Sendable {
    /// Where the sidecar meets the worker: a folder of this machine.
    var scratch: String { get }
    func keep(_ files: [WorkerFile]) throws -> [String]
    func lay(_ piece: LaidPiece) throws
    /// `content` as in ``FarWorker/finishLaying(_:)``.
    func finishLaying(_ content: @escaping LazyContent) throws
    func take(to sink: any TakenSink) async throws
    func clear() async throws
}
