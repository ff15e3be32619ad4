import Core

/// Which records of a pipeline's log are wanted (`pps.md` §12).
package struct LogQuery: Sendable {
    package enum Kind: Sendable {
        /// What the user's code printed.
        case user
        /// What the server wrote about it.
        case server
        case all
    }

    package var pipeline: PipelineKey
    package var kind: Kind
    /// Only records of this job.
    package var job: CommitID?
    /// Only records of this datum.
    package var datum: Digest?
    /// Only records of datums that have a file for each of these: its path, or its hash in hexadecimal or base64.
    package var data: [String]
    /// How far back, in seconds; 0 stands for a day.
    package var since: Double
    /// Only the last so many of what there is at the start; nil for all.
    package var tail: Int?
    package var follow: Bool

    package init(
        pipeline: PipelineKey, kind: Kind, job: CommitID? = nil, datum: Digest? = nil, data: [String] = [],
        since: Double = 0, tail: Int? = nil, follow: Bool = false
    ) {
        self.pipeline = pipeline
        self.kind = kind
        self.job = job
        self.datum = datum
        self.data = data
        self.since = since
        self.tail = tail
        self.follow = follow
    }

    func holds(_ record: LogRecord) -> Bool {
        switch kind {
        case .user where record.isServer, .server where !record.isServer: return false
        default: break
        }
        if let job, record.job != job { return false }
        if let datum, record.datum != datum { return false }
        return data.allSatisfy { text in record.data.contains { $0.isNamed(by: text) } }
    }
}

/// Walks the files of one log from a point in time to the end, then on with what is appended.
struct LogReader {
    let log: PipelineLog
    let query: LogQuery
    /// Records before this are not wanted.
    private let start: Instant
    private var file = 0
    private var offset = 0
    /// The beginning of a line whose end has not been read yet.
    private var partial: [UInt8] = []

    private static let blockBytes = 64 << 10
    private static let day = 86_400.0

    init(log: PipelineLog, query: LogQuery, now: Instant) {
        self.log = log
        self.query = query
        start = now.adding(seconds: -(query.since > 0 ? query.since : Self.day))
    }

    func run(_ body: (LogRecord) async throws -> Void) async throws {
        var reader = self
        // Watching begins before the first read, so that nothing appended in between is missed.
        let watch = query.follow ? log.watch() : nil
        defer { if let watch { log.unwatch(watch.number) } }
        try reader.seek()
        if let tail = query.tail {
            let tail = min(tail, LogStore.mostRecords)
            var last: [LogRecord] = []
            try await reader.drain { record in
                last.append(record)
                if last.count > 2 * tail + 64 { last.removeFirst(last.count - tail) }
            }
            for record in last.suffix(tail) { try await body(record) }
        } else {
            try await reader.drain(body)
        }
        guard let watch else { return }
        for await _ in watch.changes { try await reader.drain(body) }
        try Task.checkCancellation()
    }

    /// Goes to the last file that begins before the start.
    private mutating func seek() throws {
        let numbers = try log.numbers()
        file = numbers.first ?? 1
        for number in numbers.dropFirst() {
            let head = try log.files.read(PipelineLog.name(number), in: log.folder, from: 0, limit: 64)
            guard let first = LogRecord.instant(ofLine: head), first < start else { return }
            file = number
        }
    }

    /// Hands over all whole lines from here to the end of what is written.
    private mutating func drain(_ body: (LogRecord) async throws -> Void) async throws {
        while true {
            let block = try log.files.read(
                PipelineLog.name(file), in: log.folder, from: offset, limit: Self.blockBytes)
            if block.isEmpty {
                // A later file is begun only after the last line of this one.
                guard let next = try log.numbers().first(where: { $0 > file }) else { return }
                let more = try log.files.read(PipelineLog.name(file), in: log.folder, from: offset, limit: 1)
                if more.isEmpty {
                    (file, offset, partial) = (next, 0, [])
                }
                continue
            }
            offset += block.count
            partial += block
            var begin = partial.startIndex
            while let end = partial[begin...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = partial[begin..<end]
                begin = end + 1
                if let record = wanted(line) { try await body(record) }
            }
            partial.removeSubrange(..<begin)
        }
    }

    private func wanted(_ line: ArraySlice<UInt8>) -> LogRecord? {
        guard let instant = LogRecord.instant(ofLine: line), instant >= start, let record = LogRecord(line: line) else {
            return nil
        }
        return query.holds(record) ? record : nil
    }
}
