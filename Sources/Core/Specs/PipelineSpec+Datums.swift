/// What a spec says about how the datums of a job are worked on (`pps.md` §9.4).
extension PipelineSpec {
    /// How often a datum is tried in all, at least once.
    package var datumTries: Int64 { max(1, json["datumTries"]?.integer ?? 3) }

    /// Seconds for one try of a datum; nil without a limit.
    package var datumTimeout: Double? { limit("datumTimeout") }

    /// Seconds for a job, from when it began to run; nil without a limit.
    package var jobTimeout: Double? { limit("jobTimeout") }

    /// Whether every job works on all its datums, those too that did not change.
    package var reprocessesAll: Bool { json["reprocessSpec"]?.string == "every_job" }

    /// What is run after a try that failed; empty for nothing.
    package var errorCommand: [String] { json["transform"]?["errCmd"]?.elements.compactMap(\.string) ?? [] }

    /// Lines for its standard input.
    package var errorInput: [String] { json["transform"]?["errStdin"]?.elements.compactMap(\.string) ?? [] }

    /// Whether the code asks for one datum after the other by itself (`pps.md` §17).
    package var isBatching: Bool { json["transform"]?["datumBatching"]?.bool ?? false }

    private func limit(_ member: String) -> Double? {
        json[member]?.string.flatMap(SpecDuration.init).map(\.seconds).flatMap { $0 > 0 ? $0 : nil }
    }
}
