import Core
import Synchronization
import Versioning

/// Set once, when a datum of a job has failed. Any thread may ask.
final class JobFailure: Sendable {
    private let hasHappened = Atomic(false)

    func note() { hasHappened.store(true, ordering: .relaxed) }
    /// Throws where work that has not begun is not worth beginning.
    func check() throws { if hasHappened.load(ordering: .relaxed) { throw NotBegun() } }

    struct NotBegun: Error {}
}

/// One job as its workers see it.
struct TransformJob: Sendable {
    let context: TransformContext
    let pipeline: PipelineRecord
    let spec: PipelineSpec
    let record: JobRecord
    /// What the code's environment is made of.
    let plan: LaunchPlan
    /// Where the code runs; nil where each run is a launch of its own.
    var pool: WorkerPool?
    let inputs: JobInputs

    /// Whether a datum has failed: nothing more is begun then.
    let failure = JobFailure()

    /// Names the job's workers in logs, each followed by its number.
    var worker: String { LaunchPlan.worker(pipeline, epoch: plan.epoch) }

    /// The variables that tell a worker's code of its job and its datum, over those of the worker's launch.
    func variables(_ datum: [String: String], port: Int?) -> [(name: String, value: String)] {
        plan(datum, port).fixedEnvironment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Without what a far worker's launch tells of itself, which the server does not know.
    func told(_ variables: [(name: String, value: String)]) -> [(name: String, value: String)] {
        pool?.place == .far ? variables.filter { !FarVariables.names.contains($0.name) } : variables
    }

    /// `port`: where batching code asks for its datums.
    private func plan(_ variables: [String: String], _ port: Int?) -> LaunchPlan {
        var plan = plan
        plan.inputVariables = variables.merging(jobVariables) { $1 }
        if let port { plan.workerPort = port }
        return plan
    }

    /// What lines in logs are about.
    struct Subject: Sendable {
        var id: Digest
        var files: [LogInput]

        init(_ datum: Datum) {
            id = datum.id
            files = datum.logInputs
        }
    }

    /// The run of the code for a datum. `subject` is asked for each line that the code prints.
    func order(
        variables: [String: String], worker: String, port: Int? = nil, subject: @escaping @Sendable () -> Subject?
    ) -> LaunchOrder {
        let (logs, job, plan) = (context.logs, record.key, plan(variables, port))
        var order = plan.order { output in
            let subject = subject()
            logs.append(
                output, worker: worker, of: job.pipeline, job: job.id, datum: subject?.id, data: subject?.files ?? [])
        }
        order.image?.registryConfig = context.registryConfig
        order.run = context.freshRun()
        return order
    }

    private var jobVariables: [String: String] {
        var variables = ["PACH_JOB_ID": "\(record.key.id)"]
        if context.history.isAuthOn { variables["PACH_TOKEN"] = plan.token }
        return variables
    }
}
