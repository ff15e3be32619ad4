import Core
import Versioning

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
    /// Of each input of the tree, from the left, the commit that is read, and its files.
    let files: [CommitFiles?]

    var commits: [CommitID?] { files.map { $0?.commit.key.id } }
    /// Names the job's workers in logs, each followed by its number.
    var worker: String { LaunchPlan.worker(pipeline, epoch: plan.epoch) }

    static func bytes(of lines: [String]) -> [UInt8] {
        lines.isEmpty ? [] : Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// How a file of a datum is laid out.
    func laid(_ file: InputFile) -> LaidInput? {
        let leaf = file.input.leaf
        let form: LaidInput.Form = leaf.emptyFiles ? .empty : leaf.isLazy ? .lazy : .content
        return files[file.input.index].map { LaidInput(name: leaf.name, files: $0, path: file.path, form: form) }
    }

    /// The variables that tell a worker's code of its job and its datum, over those of the worker's launch.
    func variables(_ datum: [String: String]) -> [(name: String, value: String)] {
        plan(datum).fixedEnvironment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func plan(_ variables: [String: String]) -> LaunchPlan {
        var plan = plan
        plan.inputVariables = variables.merging(jobVariables) { $1 }
        return plan
    }

    /// The run of the code for a datum.
    func order(variables: [String: String], worker: String) -> LaunchOrder {
        let (logs, key, plan) = (context.logs, pipeline.key, plan(variables))
        var order = plan.order { logs.append($0, worker: worker, of: key) }
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
