import Core
import Synchronization

/// Keeps what pipelines print: per pipeline a folder of numbered files of JSON lines, of bounded size each and in sum.
///
/// A line is never written in part next to another: a file that ends without a line end (a crash, a full disk) gets one
/// before the next line. A failing disk loses lines, never blocks or ends the code that prints them; how many were lost
/// is written down when writing works again.
package final class LogStore: Sendable {
    package struct Limits: Sendable {
        /// A file is closed beyond this size.
        package var fileBytes: Int
        /// Oldest files go when a pipeline's files hold more.
        package var pipelineBytes: Int
        package init(fileBytes: Int = 4 << 20, pipelineBytes: Int = 64 << 20) {
            self.fileBytes = fileBytes
            self.pipelineBytes = pipelineBytes
        }
    }

    /// More records than a pipeline's files hold: a record has a hundred bytes and more.
    package static let mostRecords = 1 << 20

    private let files: any LogFiles
    private let clock: any Clock
    private let limits: Limits
    /// Guarded by the lock around it.
    private struct Logs {
        var byPipeline: [PipelineKey: PipelineLog] = [:]
        var isClosed = false
    }

    private let logs = Mutex(Logs())

    package init(files: any LogFiles, clock: any Clock, limits: Limits = Limits()) {
        self.files = files
        self.clock = clock
        self.limits = limits
    }

    /// Writes a line that a launch's code printed. Any thread may call; lines of one thread keep their order.
    ///
    /// `job` and `datum` say what the code was run for; `data` are that datum's files (``Datum/logInputs``).
    package func append(
        _ output: LaunchOutput, worker: String, of pipeline: PipelineKey, job: CommitID? = nil, datum: Digest? = nil,
        data: [LogInput] = []
    ) {
        log(of: pipeline).append(
            LogRecord(
                instant: clock.now(), message: output.line, worker: worker, isServer: false,
                stream: output.stream.rawValue, job: job, datum: datum, data: data))
    }

    /// Writes a line of the server's own about a pipeline, a job of it, or a datum of that job.
    package func note(
        _ message: String, worker: String = "", of pipeline: PipelineKey, job: CommitID? = nil, datum: Digest? = nil
    ) {
        log(of: pipeline).append(
            LogRecord(
                instant: clock.now(), message: message, worker: worker, isServer: true, job: job, datum: datum))
    }

    /// Forgets all that a pipeline printed; readers that follow it end.
    package func remove(_ pipeline: PipelineKey) {
        let log = logs.withLock { logs in
            defer { logs.byPipeline[pipeline] = nil }
            return logs.byPipeline[pipeline] ?? PipelineLog(pipeline, files: files, limits: limits)
        }
        log.remove()
    }

    /// Ends all reading that follows, now and later: the server goes down. Lines are still written.
    package func endFollowing() {
        let all = logs.withLock { logs in
            logs.isClosed = true
            return Array(logs.byPipeline.values)
        }
        for log in all { log.endFollowing() }
    }

    /// Hands the records that match `query` to `body`, oldest first; with `follow`, goes on with each new one until
    /// `body` throws, the task is cancelled or the pipeline's log is removed.
    package func read(_ query: LogQuery, _ body: (LogRecord) async throws -> Void) async throws {
        try await LogReader(log: log(of: query.pipeline), query: query, now: clock.now()).run(body)
    }

    private func log(of pipeline: PipelineKey) -> PipelineLog {
        logs.withLock { logs in
            if let log = logs.byPipeline[pipeline] { return log }
            let log = PipelineLog(pipeline, files: files, limits: limits)
            if logs.isClosed { log.endFollowing() }
            logs.byPipeline[pipeline] = log
            return log
        }
    }
}

/// The files of one pipeline's log, its writer and those who wait for more.
final class PipelineLog: Sendable {
    /// Guarded by the lock around it.
    private struct State {
        /// The file being appended to and its size; nil before the first line.
        var current: (number: Int, size: Int)?
        /// Whether the file may end in the middle of a line.
        var isTorn = false
        var lost = 0
        var isRemoved = false
        var isFollowed = true
        var watchers: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextWatcher = 0
    }

    let pipeline: PipelineKey
    let folder: String
    let files: any LogFiles
    private let limits: LogStore.Limits
    private let state = Mutex(State())

    init(_ pipeline: PipelineKey, files: any LogFiles, limits: LogStore.Limits) {
        self.pipeline = pipeline
        self.files = files
        self.limits = limits
        folder = "\(pipeline.project)/\(pipeline.name)"
    }

    static func name(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".log"
    }

    /// The numbers of the files there are, ascending.
    func numbers() throws -> [Int] {
        try files.list(folder).compactMap { Int($0.name.prefix { $0 != "." }) }.sorted()
    }

    func append(_ record: LogRecord) {
        let watchers = state.withLock { state -> [AsyncStream<Void>.Continuation] in
            if state.isRemoved { return [] }
            var bytes: [UInt8] = []
            if state.lost > 0 {
                let notice = LogRecord(
                    instant: record.instant,
                    message: "\(state.lost) lines of output were lost: the log could not be written",
                    worker: record.worker, isServer: true)
                bytes = notice.line(of: pipeline)
            }
            bytes += record.line(of: pipeline)
            do {
                try write(bytes, &state)
                state.lost = 0
            } catch {
                state.isTorn = true
                state.lost += 1
                return []
            }
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.yield() }
    }

    private func write(_ bytes: [UInt8], _ state: inout State) throws {
        if state.current == nil { try open(&state) }
        guard var current = state.current else { return }
        if current.size > 0, current.size + bytes.count > limits.fileBytes {
            current = (current.number + 1, 0)
            state.isTorn = false
            state.current = current
            try dropOldest(below: current.number)
        }
        let whole = state.isTorn ? [UInt8(ascii: "\n")] + bytes : bytes
        try files.append(whole, to: Self.name(current.number), in: folder)
        state.current = (current.number, current.size + whole.count)
        state.isTorn = false
    }

    /// Goes on after the newest file of an earlier server.
    private func open(_ state: inout State) throws {
        guard let last = try files.list(folder).last, let number = Int(last.name.prefix { $0 != "." }) else {
            state.current = (1, 0)
            return
        }
        if last.size > 0 {
            let end = try files.read(last.name, in: folder, from: last.size - 1, limit: 1)
            state.isTorn = end.first != UInt8(ascii: "\n")
        }
        state.current = (number, last.size)
    }

    private func dropOldest(below newest: Int) throws {
        let all = try files.list(folder)
        var total = all.reduce(0) { $0 + $1.size }
        for file in all where total + limits.fileBytes > limits.pipelineBytes {
            guard let number = Int(file.name.prefix { $0 != "." }), number < newest else { break }
            try files.remove(file.name, in: folder)
            total -= file.size
        }
    }

    func remove() {
        let watchers = state.withLock { state in
            state.isRemoved = true
            try? files.removeFolder(folder)
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.finish() }
    }

    /// A stream with an element after each change; ends when the log is removed. The caller ends it by ``unwatch(_:)``.
    func watch() -> (number: Int, changes: AsyncStream<Void>) {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.nextWatcher += 1
            if state.isRemoved || !state.isFollowed {
                continuation.finish()
            } else {
                state.watchers[state.nextWatcher] = continuation
            }
            return state.nextWatcher
        }
        return (number, stream)
    }

    func endFollowing() {
        let watchers = state.withLock { state in
            state.isFollowed = false
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.finish() }
    }

    func unwatch(_ number: Int) {
        let watcher = state.withLock { $0.watchers.removeValue(forKey: number) }
        watcher?.finish()
    }

    /// How many follow this log now.
    var watcherCount: Int { state.withLock { $0.watchers.count } }
}
