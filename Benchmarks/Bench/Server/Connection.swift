import API
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import SwiftProtobuf

/// One connection to a server.
struct Connection: Sendable {
    typealias Transport = HTTP2ClientTransport.Posix

    private let client: GRPCClient<Transport>
    private let running: Task<Void, Never>
    let pfs: PfsV2_API.Client<Transport>
    let pps: PpsV2_API.Client<Transport>
    let maintenance: Spile_V1_Maintenance.Client<Transport>
    private let version: VersionpbV2_API.Client<Transport>

    init(port: Int) throws {
        var config = Transport.Config.defaults
        config.http2.maxFrameSize = 1 << 20
        let limits = MethodConfig(
            names: [MethodConfig.Name(service: "")], maxRequestMessageBytes: 20 << 20,
            maxResponseMessageBytes: 20 << 20)
        let transport = try Transport(
            target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext, config: config,
            serviceConfig: ServiceConfig(methodConfig: [limits]))
        let client = GRPCClient(transport: transport)
        self.client = client
        running = Task { try? await client.runConnections() }
        pfs = PfsV2_API.Client(wrapping: client)
        pps = PpsV2_API.Client(wrapping: client)
        maintenance = Spile_V1_Maintenance.Client(wrapping: client)
        version = VersionpbV2_API.Client(wrapping: client)
    }

    func close() async {
        client.beginGracefulShutdown()
        await running.value
    }

    /// The emptiest call there is.
    func ping() async throws { _ = try await version.getVersion(Google_Protobuf_Empty()) }

    func makeRepo(_ name: String) async throws {
        _ = try await pfs.createRepo(PfsV2_CreateRepoRequest.with { $0.repo = Self.repo(name) })
    }

    /// One stream to the head of `master`, which makes one commit.
    func commit(
        to repo: String, _ produce: @Sendable @escaping (RPCWriter<PfsV2_ModifyFileRequest>) async throws -> Void
    ) async throws {
        let first = PfsV2_ModifyFileRequest.with { $0.setCommit = Self.head(repo) }
        _ = try await pfs.modifyFile { writer in
            try await writer.write(first)
            try await produce(writer)
        }
    }

    /// A commit of one small file: both messages at once, as a client that has all its data does it.
    func commit(to repo: String, _ path: String, _ content: Data) async throws {
        let messages = [PfsV2_ModifyFileRequest.with { $0.setCommit = Self.head(repo) }, Self.file(path, content)]
        _ = try await pfs.modifyFile { writer in try await writer.write(contentsOf: messages) }
    }

    /// Reads a whole file and gives its size.
    func read(_ path: String, of repo: String) async throws -> Int {
        let request = PfsV2_GetFileRequest.with { request in
            request.file = PfsV2_File.with {
                $0.commit = Self.head(repo)
                $0.path = path
            }
        }
        return try await pfs.getFile(request) { response in
            var count = 0
            for try await message in response.messages { count += message.value.count }
            return count
        }
    }

    static func file(_ path: String, _ content: Data) -> PfsV2_ModifyFileRequest {
        PfsV2_ModifyFileRequest.with { request in
            request.addFile = PfsV2_AddFile.with { file in
                file.path = path
                file.raw = Google_Protobuf_BytesValue.with { $0.value = content }
            }
        }
    }

    static func repo(_ name: String) -> PfsV2_Repo {
        PfsV2_Repo.with {
            $0.name = name
            $0.type = "user"
            $0.project.name = "default"
        }
    }

    static func head(_ repo: String) -> PfsV2_Commit {
        PfsV2_Commit.with { commit in
            commit.repo = Self.repo(repo)
            commit.branch = PfsV2_Branch.with {
                $0.repo = Self.repo(repo)
                $0.name = "master"
            }
        }
    }
}
