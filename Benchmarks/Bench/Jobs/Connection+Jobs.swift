import API
import Foundation
import GRPCCore

/// Pipelines whose code works on datums.
extension Connection {
    /// Makes a transform of one input, each match of whose glob is a datum.
    func makeTransform(
        _ name: String, of repo: String, glob: String = "/*", _ command: [String], workers: UInt64 = 1
    ) async throws {
        let request = PpsV2_CreatePipelineRequest.with { request in
            request.pipeline.name = name
            request.pipeline.project.name = "default"
            request.transform.cmd = command
            request.parallelismSpec.constant = workers
            request.input.pfs.repo = repo
            request.input.pfs.glob = glob
        }
        _ = try await pps.createPipeline(request)
    }

    /// Waits until the head of `master` and all that it derives from are finished; throws if it is in error.
    func waitForHead(of repo: String) async throws {
        let info = try await pfs.inspectCommit(
            .with {
                $0.commit = Self.head(repo)
                $0.wait = .finished
            })
        guard info.error.isEmpty else { throw Unexpected("the head of \(repo): \(info.error)") }
    }

    /// Id of the head of `master`, finished or not.
    func headID(of repo: String) async throws -> String {
        try await pfs.inspectCommit(.with { $0.commit = Self.head(repo) }).commit.id
    }

    /// How many jobs of a pipeline have ended well.
    func jobsDone(of pipeline: String) async throws -> Int {
        let request = PpsV2_ListJobRequest.with {
            $0.pipeline.name = pipeline
            $0.pipeline.project.name = "default"
            $0.history = -1
        }
        return try await pps.listJob(request) { response in
            var count = 0
            for try await job in response.messages where job.state == .jobSuccess { count += 1 }
            return count
        }
    }
}
