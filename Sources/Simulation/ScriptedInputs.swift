import Core
import Pipelines
import Synchronization

/// Inputs without files: each job's variables name the job, in `INPUT`.
package final class ScriptedInputs: ServiceInputs {
    private let root: String
    private let made = Mutex(0)

    /// `root` is a folder that exists; those of launches are made below it.
    package init(root: String) { self.root = root }

    package func find(_ job: CommitID, of pipeline: PipelineRecord) async throws -> ServiceInput {
        let number = made.withLock { made in
            made += 1
            return made
        }
        return ServiceInput(variables: ["INPUT": "\(job)"], inputs: [], folder: "\(root)/\(number)")
    }

    package func removeLeftovers() throws {}
}
