import Core
import Versioning

/// The end of a job whose output goes elsewhere, too (`pps.md` §10): its commits have their content and are open, and
/// are closed once all files are there. It is tried until it can be done, by this server and the next ones.
struct JobEgress: Sendable {
    private let context: TransformContext
    private let key: JobKey
    private let target: any EgressTarget
    private let url: SourceURL

    /// Nil for a job whose output stays.
    init?(of run: JobRun) throws {
        guard let url = try PipelineSpec(canonical: run.pipeline.effectiveSpec).egressURL else { return nil }
        guard let target = run.context.egress else {
            throw SpileError(.unimplemented, "this server cannot write to \(url)")
        }
        (context, key, self.target, self.url) = (run.context, run.key, target, url)
    }

    /// Whether the job's work is done.
    func isBegun() throws -> Bool { try context.history.read { try $0.job(key)?.state == .egressing } }

    /// Throws as ``JobRun/run()`` does.
    func run() async throws {
        let files = try context.history.files(CommitHandle(key.pipeline.repo(.user).commit(key.id)))
        let sum: EgressSum
        do { sum = try await files.send(try Glob("/"), to: target, below: url) ?? EgressSum() } catch {
            throw Self.meaning(of: error, url)
        }
        try Task.checkCancellation()
        try await context.history.closeLaid(key)
        context.logs.note(
            "job \(key.id): \(sum.files) files of \(sum.bytes) bytes were written to \(url)", of: key.pipeline,
            job: key.id)
    }

    /// What somebody may mend outside passes for what passes by itself: work that is done is not thrown away for a
    /// bucket that is not there yet. What no try can change ends the job.
    private static func meaning(of error: any Error, _ url: SourceURL) -> any Error {
        guard let error = error as? SpileError else { return error }
        switch error.code {
        case .unavailable, .resourceExhausted, .permissionDenied, .failedPrecondition, .notFound, .aborted:
            return SpileError(
                .unavailable, "egress to \(url): \(error.message)", remedy: error.remedy, cause: error.cause)
        default: return error.wrapped("egress to \(url)")
        }
    }
}
