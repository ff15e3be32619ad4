import Core
import Versioning

extension PipelineManager {
    /// A version of a pipeline: the one in force, or by ancestry (`p^`, `p~2`) an older one.
    package func inspect(
        project: ProjectKey, name: String, as principal: Principal
    ) throws -> PipelineRecord {
        let (plain, back) = try Self.ancestry(name)
        let key = PipelineKey(project: project, name: plain)
        try checkReader(principal, of: key)
        let versions = try history.read { try $0.pipelineVersions(key) }
        if versions.isEmpty { throw Self.missing(key) }
        guard back < versions.count else {
            throw SpileError.domain(
                "pipeline \"\(key)\" has only \(versions.count) versions, not enough to find ancestor \(back)")
        }
        return versions[back]
    }

    /// A name and how many versions back it asks for.
    private static func ancestry(_ name: String) throws(SpileError) -> (name: String, back: Int) {
        guard name.contains(where: { "^~.".contains($0) }) else { return (name, 0) }
        switch try CommitSelector(name) {
        case .ancestor(.branch(let plain), let back): return (plain, back)
        case .ancestor(.id(let id), let back): return (id.description, back)
        case .fromRoot: throw .domain("cannot inspect future pipelines: \(name)", remedy: "write p^ or p^2")
        }
    }

    private func checkReader(_ principal: Principal, of key: PipelineKey) throws(SpileError) {
        if case .launch(let own, _) = principal, own != key {
            throw Principal.refusal(of: own, "inspect pipeline \(key)")
        }
    }

    /// Which pipelines to list.
    package struct Listing: Sendable {
        /// One pipeline's name, or nil for all.
        package var pipeline: PipelineKey?
        /// nil stands for all.
        package var projects: [ProjectKey]?
        /// Older versions to list beside the one in force; negative stands for all.
        package var history: Int64
        /// Instead of the version in force the one that this commit set was made by; pipelines that have no part in it
        /// are left out.
        package var commitSet: CommitID?
        package init(
            pipeline: PipelineKey? = nil, projects: [ProjectKey]? = nil, history: Int64 = 0, commitSet: CommitID? = nil
        ) {
            self.commitSet = commitSet
            self.pipeline = pipeline
            self.projects = projects
            self.history = history
        }
    }

    /// Versions of pipelines, newest first; without those whose output repo the caller may not see.
    package func list(_ listing: Listing, as principal: Principal) throws -> [PipelineRecord] {
        let listed = try versions(listing, as: principal)
        let result = try history.read { catalog in
            guard var access = try catalog.access(of: principal) else { return listed }
            return try listed.filter { try access.lists($0.key.repo(.user)) }
        }
        return result.sorted { ($1.updatedAt, $0.key, $1.version) < ($0.updatedAt, $1.key, $0.version) }
    }

    private func versions(_ listing: Listing, as principal: Principal) throws -> [PipelineRecord] {
        var result = try history.read { catalog -> [PipelineRecord] in
            var keys: [PipelineKey]
            if let key = listing.pipeline {
                if try catalog.pipeline(key) == nil { throw Self.missing(key) }
                keys = [key]
            } else {
                let inForce = try catalog.pipelines(in: listing.projects)
                if listing.history == 0, listing.commitSet == nil { return inForce }
                keys = inForce.map(\.key)
            }
            if case .launch(let own, _) = principal { keys = keys.filter { $0 == own } }
            let most = listing.history < 0 ? Int.max : Int(clamping: listing.history) + 1
            let specs = try listing.commitSet.map { try Self.specs(of: $0, in: catalog) }
            return try keys.flatMap { key -> ArraySlice<PipelineRecord> in
                let versions = try catalog.pipelineVersions(key)
                guard let specs else { return versions.prefix(most) }
                return versions.drop { !specs.contains(key.repo(.spec).commit($0.specCommit)) }.prefix(most)
            }
        }
        if case .launch(let own, _) = principal { result = result.filter { $0.key == own } }
        return result
    }

    /// The spec commits that a commit set holds, or that commits of it were made by.
    private static func specs(of set: CommitID, in catalog: any CatalogReader) throws -> Set<CommitKey> {
        let commits = try catalog.commits(set: set)
        if commits.isEmpty { throw SpileError.notFound("commit set \(set) not found") }
        var result = Set(commits.map(\.key).filter { $0.repo.type == .spec })
        for upstream in Set(commits.flatMap(\.provenance)) {
            if let key = try catalog.name(of: upstream)?.key, key.repo.type == .spec { result.insert(key) }
        }
        return result
    }
}
