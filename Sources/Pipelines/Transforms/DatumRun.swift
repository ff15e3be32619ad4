import Core
import Logging
import Versioning

/// Works on the datums of one job, one after the other: lays out what the code sees, runs it, takes what it leaves
/// (`pps.md` §9.4). One worker; its calls block on disk.
struct DatumRun: Sendable {
    let job: TransformJob
    /// Counts the workers of the job, from 0.
    let worker: Int

    /// What became of a datum.
    struct Outcome: Sendable {
        var state: DatumRecord.State
        var reason = ""
        var stats = DatumStats()
    }

    /// How often the same datum may lose its worker without that counting as a try: code can be what ends it.
    private static let freeLosses = 1

    /// Works on a datum until a try succeeds, `err_cmd` takes care of one, or all have failed. Throws where it is not
    /// the code's fault, `CancellationError`, and ``JobFailure/NotBegun``.
    func work(
        _ datum: Datum, index: Int64, in batch: BatchSession? = nil, into output: JobOutput
    ) async throws -> Outcome {
        let hold = job.pool.map(SeatHold.init)
        do {
            let outcome = try await tries(of: datum, index: index, on: hold, in: batch, into: output)
            await hold?.giveBack(isGood: true)
            return outcome
        } catch {
            await hold?.giveBack(isGood: true)
            throw error
        }
    }

    private func tries(
        of datum: Datum, index: Int64, on hold: SeatHold?, in batch: BatchSession?, into output: JobOutput
    ) async throws -> Outcome {
        let variables = datum.variables(commits: job.inputs.commits, output: job.record.key.id)
        let inputs = job.inputs.laid(datum)
        var outcome = Outcome(state: .failed)
        outcome.stats.downloadBytes = datum.files.reduce(0) { $0 + $1.size }
        var (attempts, losses): (Int64, Int) = (0, 0)
        while attempts < job.spec.datumTries {
            try Task.checkCancellation()
            let attempt = DatumAttempt(
                job: job, name: name, worker: worker, datum: datum, inputs: inputs, variables: variables,
                isFirst: attempts == 0 && losses == 0)
            let result = try await attempt.run(&outcome.stats, on: hold, in: batch, into: output)
            if case .lost = result, losses < Self.freeLosses {
                losses += 1
                note(datum, "its worker is gone, so that another one tries")
                continue
            }
            attempts += 1
            (outcome.state, outcome.reason) = result.outcome
            guard let fault = result.fault else { break }
            note(datum, "try \(attempts) of \(job.spec.datumTries) failed: \(fault)")
            if outcome.state == .recovered { break }
        }
        var record = record(of: datum, index: index)
        (record.state, record.reason, record.stats) = (outcome.state, outcome.reason, outcome.stats)
        try await output.keep(record, variables: variables.sorted { $0.key < $1.key }.map { ($0, $1) }, inputs: inputs)
        return outcome
    }

    /// For code that asks for its datums by itself; nil for other code.
    var batch: BatchSession? {
        guard job.spec.isBatching, let pool = job.pool else { return nil }
        return BatchSession(job: job, pool: pool, name: name, worker: worker)
    }

    private var name: String { "\(job.worker)-\(worker)" }

    private func note(_ datum: Datum, _ text: String) {
        job.context.logs.note(
            "datum \(datum.id): \(text)", worker: name, of: job.pipeline.key, job: job.record.key.id, datum: datum.id)
    }

    private func record(of datum: Datum, index: Int64) -> DatumRecord {
        let commits = job.inputs.commits
        return DatumRecord(
            id: datum.id, job: job.record.key,
            inputs: datum.files.map {
                DatumRecord.Input($0, commit: commits[$0.input.index] ?? job.record.key.id)
            },
            hash: datum.hash(salt: job.pipeline.salt), index: index)
    }
}
