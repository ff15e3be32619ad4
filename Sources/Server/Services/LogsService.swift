import API
import Core
import GRPCCore
import Pipelines
import SwiftProtobuf
import Versioning

/// `logs.API`: what pipelines' code printed and what the server wrote about it, by time (`clients.md` §3.6).
///
/// Served from the server's own records: by pipeline, or for all pipelines of a project, one after the other in the
/// order of their names; of those, only the lines of a job or a datum. There is no query language.
struct LogsService: Sendable {
    let manager: PipelineManager
    let logs: LogStore
    let history: History
    let clock: any Clock

    func register(in routes: inout Routes) {
        routes.serverStream(Logs_API.Method.GetLogs.descriptor) { (request: Logs_GetLogsRequest, call, writer) in
            let sources = try LogSources(manager: manager, history: history, principal: call.principal)
                .find(request.query)
            let selection = try LogSelection(request, now: clock.now(), first: sources.lazy.compactMap(\.first).min())
            if selection.isReversed {
                try await backward(sources, selection, request, writer)
            } else {
                try await forward(sources, selection, request, writer)
            }
        }
    }

    /// Ends a walk over records that has given enough.
    private struct Enough: Error {}

    private func forward(
        _ sources: [LogSource], _ selection: LogSelection, _ request: Logs_GetLogsRequest,
        _ writer: RPCWriter<Logs_GetLogsResponse>
    ) async throws {
        var page = LogPage(selection)
        do {
            for source in sources {
                // Only the last of several can be followed: the walk of the others would never end.
                let isFollowed = request.tail && source.pipeline == sources.last?.pipeline
                let query = source.query(selection, follow: isFollowed)
                try await logs.read(query) { record in
                    guard page.takes(record) else { return }
                    try await writer.write(.with { $0.log = record.answer(of: source.pipeline) })
                    if page.isFull { throw Enough() }
                }
            }
        } catch is Enough {}
        if request.wantPagingHint { try await writer.write(.with { $0.pagingHint = page.hint(for: request) }) }
    }

    /// From the newest on: the last records are kept until all are read, at most ``LogSelection/mostKept``.
    private func backward(
        _ sources: [LogSource], _ selection: LogSelection, _ request: Logs_GetLogsRequest,
        _ writer: RPCWriter<Logs_GetLogsResponse>
    ) async throws {
        var page = LogPage(selection)
        for source in sources.reversed() {
            var kept: [LogRecord] = []
            try await logs.read(source.query(selection)) { record in
                guard selection.holds(record) else { return }
                kept.append(record)
                if kept.count > 2 * selection.kept { kept.removeFirst(kept.count - selection.kept) }
            }
            for record in kept.suffix(selection.kept).reversed() where !page.isFull {
                if page.takes(record) {
                    try await writer.write(.with { $0.log = record.answer(of: source.pipeline) })
                }
            }
        }
        if request.wantPagingHint { try await writer.write(.with { $0.pagingHint = page.hint(for: request) }) }
    }
}

/// What a request's filter asks for.
struct LogSelection {
    /// How many records a walk backward keeps where the request sets no limit.
    static let mostKept = 10_000

    let isReversed: Bool
    /// The oldest and the newest instant that are wanted.
    private let oldest: Instant
    private let newest: Instant?
    /// Seconds back from now to the oldest.
    let since: Double
    /// Records left out at the beginning.
    let offset: UInt64
    /// Nil for no limit.
    let limit: UInt64?
    private let isUserOnly: Bool
    private let isErrorOnly: Bool
    nonisolated(unsafe) private let pattern: Regex<AnyRegexOutput>?
    private let isNegated: Bool

    /// Records that a walk backward has to keep: no more than a log can hold.
    var kept: Int {
        let (sum, isTooMany) = (limit ?? UInt64(Self.mostKept)).addingReportingOverflow(offset)
        return isTooMany ? LogStore.mostRecords : Int(min(sum, UInt64(LogStore.mostRecords)))
    }

    private static let day = 86_400.0

    /// `first`: the oldest record that there can be; nil where that is not known.
    init(_ request: Logs_GetLogsRequest, now: Instant, first: Instant?) throws {
        let filter = request.filter
        let range = filter.timeRange
        let from = range.hasFrom ? Instant(range.from) : nil
        let until = range.hasUntil ? Instant(range.until) : nil
        isReversed = if let from, let until { from > until } else { false }
        oldest = (isReversed ? until : from) ?? first ?? now.adding(seconds: -Self.day)
        newest = isReversed ? from : until
        // A little more than that: records are looked at one by one.
        since = max(1, now.seconds(since: oldest) + 1)
        offset = range.offset
        limit = filter.limit == 0 ? nil : filter.limit
        isUserOnly = filter.userLogsOnly
        isErrorOnly = filter.level == .error
        isNegated = filter.regex.negate
        guard filter.hasRegex, !filter.regex.pattern.isEmpty else {
            pattern = nil
            return
        }
        do { pattern = try Regex(filter.regex.pattern) } catch {
            throw SpileError.invalid("filter.regex.pattern \"\(filter.regex.pattern)\" is no pattern: \(error)")
        }
    }

    func kind(_ kind: LogQuery.Kind) -> LogQuery.Kind {
        switch (kind, isUserOnly) {
        case (.all, true): .user
        default: kind
        }
    }

    func holds(_ record: LogRecord) -> Bool {
        if isErrorOnly || record.instant < oldest { return false }
        if let newest, record.instant > newest { return false }
        guard let pattern else { return true }
        return (record.message.firstMatch(of: pattern) != nil) != isNegated
    }
}

/// The records that one answer gives, counted, and where its neighbours begin.
struct LogPage {
    /// A microsecond, and how many records were seen from there to the end of the page: clients may keep no
    /// nanoseconds.
    private struct End {
        var nanoseconds: Int64
        var count: UInt64
    }

    private let selection: LogSelection
    private var skipped: UInt64 = 0
    private var taken: UInt64 = 0
    private var oldest: End?
    private var newest: End?

    init(_ selection: LogSelection) { self.selection = selection }

    var isFull: Bool { selection.limit.map { taken >= $0 } ?? false }

    /// Whether a record is part of the answer; counts it.
    mutating func takes(_ record: LogRecord) -> Bool {
        guard !isFull, selection.holds(record) else { return false }
        let instant = record.instant.nanoseconds
        // What is left out stands before the page: whoever goes on from its far end has it behind, too.
        let isSkipped = skipped < selection.offset
        if !isSkipped || !selection.isReversed { noteNewest(instant) }
        if !isSkipped || selection.isReversed { noteOldest(instant) }
        if isSkipped { skipped += 1 } else { taken += 1 }
        return !isSkipped
    }

    private mutating func noteNewest(_ instant: Int64) {
        let floor = instant - instant % 1000
        if newest.map({ floor > $0.nanoseconds }) ?? true {
            newest = End(nanoseconds: floor, count: 1)
        } else if instant >= newest!.nanoseconds {
            newest!.count += 1
        }
    }

    private mutating func noteOldest(_ instant: Int64) {
        let ceiling = (instant + 999) / 1000 * 1000
        if oldest.map({ ceiling < $0.nanoseconds }) ?? true {
            oldest = End(nanoseconds: ceiling, count: 1)
        } else if instant <= oldest!.nanoseconds {
            oldest!.count += 1
        }
    }

    /// Requests for what lies before the oldest record and after the newest. An answer without records asks for the
    /// same again.
    func hint(for request: Logs_GetLogsRequest) -> Logs_PagingHint {
        var (older, newer) = (request, request)
        if let oldest {
            older.filter.timeRange.from = Instant(nanoseconds: oldest.nanoseconds).message
            // Not the epoch itself: clients leave out what is zero.
            older.filter.timeRange.until = Instant(nanoseconds: 1_000_000_000).message
            older.filter.timeRange.offset = oldest.count
        }
        if let newest {
            newer.filter.timeRange.from = Instant(nanoseconds: newest.nanoseconds).message
            newer.filter.timeRange.clearUntil()
            newer.filter.timeRange.offset = newest.count
        }
        return .with {
            $0.older = older
            $0.newer = newer
        }
    }
}

extension LogRecord {
    fileprivate func answer(of pipeline: PipelineKey) -> Logs_LogMessage {
        let line = Array(line(of: pipeline).dropLast())
        return .with {
            $0.verbatim.line = .init(line)
            $0.verbatim.timestamp = instant.message
            $0.nativeTimestamp = instant.message
            if let object = try? Google_Protobuf_Struct(jsonUTF8Bytes: line) { $0.object = object }
            $0.ppsLogMessage = message(of: pipeline, isMaster: false)
        }
    }
}
