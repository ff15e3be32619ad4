import API
import Foundation
import GRPCCore

/// Pipelines whose code is a spout.
extension Connection {
    /// Makes a spout that runs `command`, or gives one that is there other variables.
    func makeSpout(
        _ name: String, _ command: [String], _ variables: [String: String] = [:], update: Bool = false,
        ports: (inside: Int, outside: Int)? = nil
    ) async throws {
        let request = PpsV2_CreatePipelineRequest.with { request in
            request.pipeline = Self.pipeline(name)
            request.update = update
            request.transform.cmd = command
            request.transform.env = variables
            request.spout = PpsV2_Spout()
            if let ports {
                request.spout.service.internalPort = Int32(ports.inside)
                request.spout.service.externalPort = Int32(ports.outside)
            }
        }
        _ = try await pps.createPipeline(request)
    }

    func stopPipeline(_ name: String) async throws {
        _ = try await pps.stopPipeline(.with { $0.pipeline = Self.pipeline(name) })
    }

    func startPipeline(_ name: String) async throws {
        _ = try await pps.startPipeline(.with { $0.pipeline = Self.pipeline(name) })
    }

    func deletePipeline(_ name: String) async throws {
        _ = try await pps.deletePipeline(.with { $0.pipeline = Self.pipeline(name) })
    }

    /// A commit of one small file, as the launch with this token.
    func commit(to spout: String, as token: String, _ path: String, _ content: Data) async throws {
        let messages = [PfsV2_ModifyFileRequest.with { $0.setCommit = Self.head(spout) }, Self.file(path, content)]
        _ = try await pfs.modifyFile(metadata: ["authn-token": "\(token)"]) { writer in
            try await writer.write(contentsOf: messages)
        }
    }

    /// Gives `body` the finished commits of a spout's code, those to come included; at most for this long.
    func withCommits<Result: Sendable>(
        of spout: String, atMost time: Duration,
        _ body: @Sendable @escaping (StreamingClientResponse<PfsV2_CommitInfo>) async throws -> Result
    ) async throws -> Result {
        let request = PfsV2_SubscribeCommitRequest.with {
            $0.repo = Self.repo(spout)
            $0.branch = "master"
            $0.state = .finished
            $0.originKind = .user
        }
        var options = CallOptions.defaults
        options.timeout = time
        return try await pfs.subscribeCommit(request, options: options, onResponse: body)
    }

    private static func pipeline(_ name: String) -> PpsV2_Pipeline {
        .with {
            $0.name = name
            $0.project.name = "default"
        }
    }
}
