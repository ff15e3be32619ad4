import Core
import Versioning

/// What the ticker knows of each cron input: found out from the catalog and the tick repos, lost without harm.
struct CronRows: Sendable {
    var all: [CronRow] = []

    /// The tick repos, each with the events that were taken into account.
    var repos: [Int64: UInt64] {
        Dictionary(
            all.compactMap { row in row.repo.map { ($0, row.generation) } }, uniquingKeysWith: { min($0, $1) })
    }

    mutating func remove(_ key: PipelineKey) { all.removeAll { $0.source.pipeline == key } }

    mutating func put(_ pipeline: PipelineRecord) throws {
        all += try CronSource.all(of: pipeline).map { CronRow(source: $0) }
    }
}

struct CronRow: Sendable {
    let source: CronSource
    /// The tick repo's number, and how many events it had had when it was looked at; nil before the first look.
    private(set) var repo: Int64?
    private(set) var generation: UInt64 = 0
    /// When to look again, unless something happens before; nil for never.
    var wake: Instant?
    /// Looks in a row that failed.
    var failures = 0

    init(source: CronSource) {
        self.source = source
        wake = Instant(seconds: 0)
    }

    /// Notes what has happened to the repo so far; to be called before it is read.
    mutating func listen(_ history: History) throws {
        let number = try history.read { try $0.existingRepo(source.branch.repo).id }
        // Numbers are not given twice.
        generation = history.events.generation(repo: number)
        repo = number
    }

    func needsLook(at now: Instant, _ events: EventHub) -> Bool {
        if let wake, wake <= now { return true }
        return repo.map { events.generation(repo: $0) != generation } ?? false
    }

    /// It is tried again after 1, 2, 4 … seconds, at most a minute.
    mutating func failed(at now: Instant) {
        failures += 1
        wake = now.adding(seconds: min(CronTicker.longestNap, Double(1 << min(failures - 1, 6))))
    }
}
