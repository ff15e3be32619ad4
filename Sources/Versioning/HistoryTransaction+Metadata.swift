import Core
import Foundation

extension HistoryTransaction {
    /// Makes all edits in order, or none (`pfs.md` §4.10).
    ///
    /// Every edit is tried, so that one answer names all that is wrong: a line per failure, each begun by `edit #i`
    /// (from 0), with the code of the first. What a launch may edit is its own output repo, and what is in it.
    package func edit(_ edits: [MetadataEdit]) throws {
        var failures: [SpileError] = []
        for (index, edit) in edits.enumerated() {
            do {
                try apply(edit)
            } catch let error as SpileError {
                failures.append(error.wrapped("edit #\(index)"))
            }
            if failures.count == Self.mostFailures { break }
        }
        guard let first = failures.first else { return }
        throw SpileError(first.code, failures.map(\.description).joined(separator: "\n"))
    }

    /// So many failures are named in one answer.
    private static let mostFailures = 20

    private func apply(_ edit: MetadataEdit) throws {
        switch edit.target {
        case .cluster:
            try refuseLaunches("it may not edit the cluster's metadata")
            try require(.clusterEditClusterMetadata, on: .cluster)
            try catalog.setClusterMetadata(edit.change.applied(to: catalog.clusterMetadata()))
        case .project(let key):
            try refuseLaunches("it may not edit projects")
            guard var project = try catalog.project(key) else { throw SpileError.projectNotFound(key) }
            project.metadata = try edit.change.applied(to: project.metadata)
            try catalog.update(project)
        case .repo(let key):
            try authorizeWrite(to: key)
            var repo = try catalog.existingRepo(key)
            repo.metadata = try edit.change.applied(to: repo.metadata)
            try catalog.update(repo)
        case .branch(let key):
            try authorizeBranch(of: key.repo)
            var branch = try catalog.existingBranch(key)
            branch.metadata = try edit.change.applied(to: branch.metadata)
            branch.updatedAt = now
            try catalog.update(branch)
            touch(repo: branch.repo)
        case .commit(let picker):
            try authorizeWrite(to: picker.repo)
            var commit = try catalog.existingCommit(picker)
            commit.metadata = try edit.change.applied(to: commit.metadata)
            try catalog.update(commit)
            touch(repo: commit.repo)
        case .pipeline(let key):
            try refuseLaunches("it may not edit pipelines")
            guard var pipeline = try catalog.pipeline(key) else {
                throw SpileError.notFound("pipeline \"\(key)\" not found")
            }
            try require(.repoWrite, on: AccessResource(key.repo(.user)))
            pipeline.metadata = try edit.change.applied(to: pipeline.metadata)
            try catalog.put(pipeline)
        }
    }
}

extension CatalogReader {
    /// The metadata of the server as a whole.
    package func clusterMetadata() throws -> [String: String] {
        guard let text = try setting(clusterMetadataSetting) else { return [:] }
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        } catch {
            throw SpileError(.dataLoss, "the cluster's metadata in the catalog cannot be read", cause: error)
        }
    }
}

extension CatalogWriter {
    fileprivate func setClusterMetadata(_ map: [String: String]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = map.isEmpty ? nil : String(decoding: try encoder.encode(map), as: UTF8.self)
        try setSetting(clusterMetadataSetting, to: text)
    }
}

private let clusterMetadataSetting = "cluster_metadata"

extension History {
    /// Makes all edits in one transaction, or none; see ``HistoryTransaction/edit(_:)``.
    ///
    /// Commits that take a long walk to find are found beforehand: the committer serves everybody.
    package func edit(_ edits: [MetadataEdit], as principal: Principal) async throws {
        guard edits.count <= Limits.metadataEdits else {
            throw SpileError.invalid(
                "\(edits.count) edits in one call are more than \(Limits.metadataEdits)", remedy: "make several calls")
        }
        let pinned = try edits.enumerated().map { index, edit in
            guard case .commit(let picker) = edit.target else { return edit }
            do {
                return MetadataEdit(.commit(try self.pinned(picker)), edit.change)
            } catch let error as SpileError {
                throw error.wrapped("edit #\(index)")
            }
        }
        try await transact(as: principal) { try $0.edit(pinned) }
    }
}
