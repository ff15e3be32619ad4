import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

/// `pfs_v2.API`: messages to calls of ``History`` and back. One extension per noun.
struct PFSService: Sendable {
    let history: History
    let transactions: Transactions
    /// What `add_file` fetches from URLs.
    let urls: any URLSource
    /// Where files go that leave this server.
    let egress: any EgressTarget

    typealias Method = PfsV2_API.Method

    func register(in routes: inout Routes) {
        registerProjects(in: &routes)
        registerRepos(in: &routes)
        registerBranches(in: &routes)
        registerCommits(in: &routes)
        registerRemoval(in: &routes)
        registerWrites(in: &routes)
        registerReads(in: &routes)
        registerFileSets(in: &routes)
        registerCache(in: &routes)
        registerWalks(in: &routes)
        registerStorage(in: &routes)
        registerEgress(in: &routes)
        registerAdministration(in: &routes)
    }
}

extension PFSService {
    private func registerProjects(in routes: inout Routes) {
        routes.unary(Method.CreateProject.descriptor) { (request: PfsV2_CreateProjectRequest, call) in
            try await history.transact(as: call.principal) {
                try $0.createProject(
                    ProjectKey(request.project), description: request.description_p, update: request.update)
            }
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.InspectProject.descriptor) { (request: PfsV2_InspectProjectRequest, call) in
            guard request.hasProject else { throw SpileError.invalid("validate request: project is missing") }
            return try info(project(ProjectKey(request.project)), call)
        }
        routes.unary(Method.InspectProjectV2.descriptor) { (request: PfsV2_InspectProjectV2Request, call) in
            guard request.hasProject else { throw SpileError.invalid("validate request: project is missing") }
            let project = try project(ProjectKey(request.project))
            let defaults = try history.read { try $0.projectDefaults(project.key) }
            return try PfsV2_InspectProjectV2Response.with {
                $0.info = try info(project, call)
                $0.defaultsJson = defaults?.json ?? "{}"
            }
        }
        routes.serverStream(Method.ListProject.descriptor) { (_: PfsV2_ListProjectRequest, call, writer) in
            for project in try history.read({ try $0.projects() }) { try await writer.write(try info(project, call)) }
        }
        // `force` changes nothing: clients delete the repos one by one before, and what is left they did not want gone.
        routes.unary(Method.DeleteProject.descriptor) { (request: PfsV2_DeleteProjectRequest, call) in
            try await history.transact(as: call.principal) { try $0.deleteProject(ProjectKey(request.project)) }
            return Google_Protobuf_Empty()
        }
    }

    private func project(_ key: ProjectKey) throws -> ProjectRecord {
        guard let project = try history.read({ try $0.project(key) }) else { throw SpileError.projectNotFound(key) }
        return project
    }

    /// With what the caller may do there, where authentication is on.
    private func info(_ project: ProjectRecord, _ call: Call) throws -> PfsV2_ProjectInfo {
        var message = project.message
        try history.read { catalog in
            guard var access = try catalog.access(of: call.principal) else { return }
            message.authInfo = try access.message(on: .project(project.key))
        }
        return message
    }

    private func registerAdministration(in routes: inout Routes) {
        routes.serverStream(Method.Fsck.descriptor) { (_: PfsV2_FsckRequest, _, writer) in
            let check = try history.makeCheck()
            while let finding = try check.next() {
                try Task.checkCancellation()
                try await writer.write(PfsV2_FsckResponse.with { $0.error = finding.description })
            }
        }
        routes.unary(Method.DeleteAll.descriptor) { (_: Google_Protobuf_Empty, call) in
            try await history.transact(as: call.principal) { transaction in
                try transaction.deleteEverything()
            }
            return Google_Protobuf_Empty()
        }
    }
}
