import Core
import Pipelines
import Synchronization

/// The catalog as the supervisor sees it, kept in memory.
package final class ScriptedLedger: SpoutLedger {
    /// Guarded by the lock around it.
    private struct State {
        var pipelines: [PipelineKey: PipelineRecord] = [:]
        var launches: [PipelineKey: LaunchRecord] = [:]
        var epochs: [PipelineKey: Int64] = [:]
        var positions: [PipelineKey: SpoutPosition] = [:]
        var jobs: [PipelineKey: CommitID] = [:]
    }

    private let state = Mutex(State())
    /// Each state written for a pipeline.
    package let reports = ScriptedMailbox<(key: PipelineKey, report: StateReport)>()
    /// Each pipeline whose last launch was ended for good.
    package let endings = ScriptedMailbox<PipelineKey>()

    package init() {}

    package func put(_ pipeline: PipelineRecord) { state.withLock { $0.pipelines[pipeline.key] = pipeline } }
    package func remove(_ key: PipelineKey) {
        state.withLock { state in
            state.pipelines[key] = nil
            state.epochs[key] = state.launches.removeValue(forKey: key)?.epoch
        }
    }
    package func launch(_ key: PipelineKey) -> LaunchRecord? { state.withLock { $0.launches[key] } }

    package func pipelines() throws -> [PipelineKey] { state.withLock { $0.pipelines.keys.sorted() } }
    package func pipeline(_ key: PipelineKey) throws -> PipelineRecord? { state.withLock { $0.pipelines[key] } }
    package func failures(of key: PipelineKey) throws -> Int64 { state.withLock { $0.launches[key]?.failures ?? 0 } }

    package func nextJob(of pipeline: PipelineRecord) throws -> CommitID? {
        state.withLock { $0.jobs[pipeline.key] }
    }

    /// What a service shall serve from now on.
    package func setJob(of key: PipelineKey, to job: CommitID?) { state.withLock { $0.jobs[key] = job } }

    package func beginLaunch(
        of key: PipelineKey, version: Int64, job: CommitID?, tokenHash: Digest, failures: Int64
    ) async throws -> (pipeline: PipelineRecord, epoch: Int64) {
        try state.withLock { state in
            guard let pipeline = state.pipelines[key], pipeline.version == version, !pipeline.stopped else {
                throw SpileError(.aborted, "changed")
            }
            // One of a pipeline that is gone never comes again.
            let epoch = (state.launches[key]?.epoch ?? state.epochs[key] ?? 0) + 1
            state.launches[key] = LaunchRecord(
                pipeline: key, epoch: epoch, version: version, tokenHash: tokenHash, handle: "",
                startedAt: Instant(nanoseconds: 0), failures: failures)
            return (pipeline, epoch)
        }
    }

    package func set(_ position: SpoutPosition, of key: PipelineKey) {
        state.withLock { $0.positions[key] = position }
    }

    package func position(of pipeline: PipelineRecord) throws -> SpoutPosition {
        state.withLock { $0.positions[pipeline.key] ?? SpoutPosition() }
    }

    package func failJob(_ job: JobKey, reason: String) async throws {
        state.withLock { state in
            if state.jobs[job.pipeline] == job.id { state.jobs[job.pipeline] = nil }
        }
    }

    package func launched(_ key: PipelineKey, epoch: Int64, handle: LaunchHandle) async throws {
        state.withLock { state in
            if state.launches[key]?.epoch == epoch { state.launches[key]?.handle = handle.text }
        }
    }

    package func endLaunch(of key: PipelineKey, tokenHash: Digest) async throws {
        state.withLock { $0.launches[key]?.tokenHash = tokenHash }
        endings.put(key)
    }

    package func report(_ report: StateReport, of key: PipelineKey) async throws {
        state.withLock { state in
            guard state.pipelines[key]?.version == report.version else { return }
            state.pipelines[key]?.state = report.state
            state.pipelines[key]?.reason = report.reason
            state.pipelines[key]?.workersStartedAt = report.startedAt
        }
        reports.put((key, report))
    }
}
