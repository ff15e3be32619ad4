import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

extension PFSService {
    func registerCommits(in routes: inout Routes) {
        routes.unary(Method.StartCommit.descriptor) { (request: PfsV2_StartCommitRequest, call) in
            let outcome = try await transactions.perform(.with { $0.startCommit = request }, call)
            guard let commit = outcome.commit else { throw SpileError.bug("a started commit has no name") }
            return commit
        }
        routes.unaryReply(Method.FinishCommit.descriptor) { (request: PfsV2_FinishCommitRequest, call) in
            let outcome = try await transactions.perform(.with { $0.finishCommit = request }, call)
            return Reply(message: Google_Protobuf_Empty(), headers: outcome.finished?.header ?? [:])
        }
        routes.wait(Method.InspectCommit.descriptor) { (request: PfsV2_InspectCommitRequest, _) in
            let handle = try Self.handle(request.hasCommit, request.commit)
            let commit = try await history.commit(handle, at: CommitStage(request.wait))
            var info = try history.read { try $0.view(commit).message }
            if handle.isFileSet { info.commit.id = handle.text }
            return info
        }
        routes.serverStream(Method.ListCommit.descriptor) { (request: PfsV2_ListCommitRequest, call, writer) in
            let query = try CommitQuery(request)
            // Of a repo that is named its reader was asked for before (``Call/checkReader(of:_:)``).
            var filter = RepoFilter(history, call.principal, .repoListCommit)
            try await history.list(query, shows: { try filter.accepts($0, $1) }) {
                try await writer.write($0.listed)
            }
        }
        routes.serverStream(Method.SubscribeCommit.descriptor) { (request: PfsV2_SubscribeCommitRequest, _, writer) in
            let subscription = try CommitSubscription(request)
            try await history.subscribe(subscription) { try await writer.write($0.message) }
        }
        routes.serverStream(Method.InspectCommitSet.descriptor) {
            (request: PfsV2_InspectCommitSetRequest, call, writer) in
            let id = try Self.setID(request.commitSet)
            var filter = RepoFilter(history, call.principal, .repoInspectCommit)
            let members = try history.commitSet(id).filter { try filter.accepts($0.key.repo) }
            for member in members where !request.wait || member.isFinished {
                try await writer.write(try history.read { try $0.view(member).message })
            }
            for member in members where request.wait && !member.isFinished {
                let commit = try await history.wait(for: member, .finished)
                try await writer.write(try history.read { try $0.view(commit).message })
            }
        }
        routes.serverStream(Method.ListCommitSet.descriptor) { (request: PfsV2_ListCommitSetRequest, call, writer) in
            var filter = RepoFilter(history, call.principal, .repoInspectCommit)
            let project = request.hasProject && !request.project.name.isEmpty ? ProjectKey(request.project) : nil
            try await history.listCommitSets(project: project) { id, all in
                let members = try all.filter { try filter.accepts($0.record.key.repo) }
                if members.isEmpty { return }
                try await writer.write(
                    PfsV2_CommitSetInfo.with {
                        $0.commitSet.id = id.description
                        $0.commits = members.map(\.listed)
                    })
            }
        }
    }

    static func handle(_ isPresent: Bool, _ message: PfsV2_Commit) throws -> CommitHandle {
        guard isPresent else { throw SpileError.invalid("commit cannot be nil") }
        return try CommitHandle(message)
    }

    /// A parent is looked for in the branch's repo, whatever repo the caller put with it.
    static func parent(_ message: PfsV2_Commit, of key: BranchKey) -> CommitHandle? {
        if message.id.isEmpty && message.branch.name.isEmpty { return nil }
        return CommitHandle(repo: key.repo, branch: message.hasBranch ? message.branch.name : nil, id: message.id)
    }

    private static func setID(_ message: PfsV2_CommitSet) throws -> CommitID {
        guard let id = CommitID(message.id) else {
            throw SpileError.notFound(
                "no commits found for commitset \(message.id)", remedy: "a commit set's id has 32 hex digits")
        }
        return id
    }
}

extension CommitStage {
    init(_ state: PfsV2_CommitState) {
        self =
            switch state {
            case .ready: .ready
            case .finishing: .finishing
            case .finished: .finished
            default: .started
            }
    }
}

extension CommitOrigin {
    /// The kind to filter by; nil for every kind.
    init?(_ kind: PfsV2_OriginKind, all: Bool) throws {
        if all { return nil }
        switch kind {
        case .unknown: return nil
        case .user: self = .user
        case .auto: self = .auto
        default: throw SpileError.invalid("origin kind \(kind) is not in use", remedy: "use USER or AUTO")
        }
    }
}

extension CommitQuery {
    init(_ request: PfsV2_ListCommitRequest) throws {
        let repo = try RepoKey(request.repo)
        func handle(_ isPresent: Bool, _ message: PfsV2_Commit) throws -> CommitHandle? {
            guard isPresent, !(message.id.isEmpty && message.branch.name.isEmpty) else { return nil }
            var handle = try CommitHandle(message)
            if handle.branch == "" && CommitID(handle.id) == nil { handle.branch = nil }
            return handle
        }
        self.init(
            repo: repo, to: try handle(request.hasTo, request.to), from: try handle(request.hasFrom, request.from),
            limit: request.number, isReverse: request.reverse,
            origin: try CommitOrigin(request.originKind, all: request.all),
            startedBeyond: request.hasStartedTime ? Instant(request.startedTime) : nil)
    }
}

extension CommitSubscription {
    init(_ request: PfsV2_SubscribeCommitRequest) throws {
        var from: CommitHandle?
        if request.hasFrom, !(request.from.id.isEmpty && request.from.branch.name.isEmpty) {
            from = try CommitHandle(request.from)
        }
        self.init(
            repo: try RepoKey(request.repo), branch: request.branch.isEmpty ? nil : request.branch, from: from,
            stage: CommitStage(request.state), origin: try CommitOrigin(request.originKind, all: request.all))
    }
}
