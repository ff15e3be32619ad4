import Core

extension HistoryTransaction {
    /// Makes a repo, or with `update` replaces the description of an existing one (`pfs.md` §4.2).
    package func createRepo(_ key: RepoKey, description: String, update: Bool) throws {
        try refuseLaunches("it may not create repos")
        try NameRules.checkRepo(key.name)
        guard try catalog.project(key.project) != nil else {
            throw SpileError.projectNotFound(key.project).wrapped("cannot find project \"\(key.project)\"")
        }
        if var existing = try catalog.repo(key) {
            guard update else { throw SpileError(.alreadyExists, "repo \(key) already exists") }
            try require(.repoWrite, on: AccessResource(key))
            guard existing.description != description else { return }
            existing.description = description
            return try catalog.update(existing)
        }
        try require(.projectCreateRepo, on: .project(key.project))
        if key.type != .user {
            guard try catalog.repo(key.of(type: .user)) != nil else {
                throw SpileError.domain("cannot create a system repo without a corresponding 'user' repo: \(key)")
            }
        }
        _ = try catalog.insert(RepoRecord(key: key, description: description, createdAt: now))
        if key.type == .user { try bind(.repoOwner, at: AccessResource(key)) }
    }

    /// Deletes a repo with all its branches and commits, a user repo together with its system repos; false if there is
    /// none. Without `force` branches of other repos must not derive from it, and no branch of it follows a trigger.
    ///
    /// The caller has to have seen that no pipeline owns it: see ``refusePipelineRepo(_:)``.
    package func deleteRepo(_ key: RepoKey, force: Bool) throws -> Bool {
        try deleteRepo(key, besides: [], force: force)
    }

    /// `others` are repos that go in the same call: what derives from this one there does not hold it.
    private func deleteRepo(_ key: RepoKey, besides others: Set<Int64>, force: Bool) throws -> Bool {
        try refuseLaunches("it may not delete repos")
        guard let repo = try catalog.repo(key) else { return false }
        try require(.repoDelete, on: AccessResource(key))
        var doomed = [repo]
        if key.type == .user {
            doomed += try [RepoType.meta, .spec].compactMap { try catalog.repo(key.of(type: $0)) }
        }
        let doomedIDs = Set(doomed.map(\.id)).union(others)
        for repo in doomed {
            for branch in try catalog.branches(repo: repo.id) {
                if !force { try detachTriggers(of: branch, force: false) }
                try detach(branch, keeping: doomedIDs, force: force)
            }
        }
        for repo in doomed {
            try catalog.deleteRepo(id: repo.id)
            if repo.key.type == .user { try catalog.setRoleBinding(AccessResource(repo.key), to: nil) }
            touch(repo: repo.id)
        }
        return true
    }

    /// Refuses to go on if a pipeline writes this repo.
    package func refusePipelineRepo(_ key: RepoKey) throws {
        guard try catalog.pipeline(PipelineKey(project: key.project, name: key.name)) == nil else {
            throw SpileError.domain(
                "cannot delete a repo associated with a pipeline - delete the pipeline instead: \(key)")
        }
    }

    /// Cuts what derives from `branch` outside of the repos `keeping`, or refuses without `force`.
    func detach(_ branch: BranchRecord, keeping repos: Set<Int64> = [], force: Bool) throws {
        let downstream = try catalog.directSubvenance(branch: branch.id)
            .compactMap { try catalog.branch(id: $0) }
            .filter { !repos.contains($0.repo) }
        guard force || downstream.isEmpty else {
            let names = downstream.map { $0.key.description }.joined(separator: " ")
            throw SpileError.domain(
                "branch \"\(branch.key)\" cannot be deleted because it's in the direct provenance of [\(names)]",
                remedy: "delete those first, or use force")
        }
        for var other in downstream {
            other.provenance.removeAll { $0 == branch.id }
            other.updatedAt = now
            try catalog.update(other)
        }
    }
}

extension HistoryTransaction {
    /// Deletes the repos of some projects (nil: of all) that no pipeline owns, whole; returns what is gone. Those that
    /// the caller may not delete stay.
    package func deleteRepos(in projects: [ProjectKey]?, force: Bool) throws -> [RepoKey] {
        var access = try catalog.access(of: principal)
        let doomed = try catalog.repos(in: projects, type: nil)
            .filter { try access?.has(.repoDelete, on: AccessResource($0.key)) ?? true }
        for repo in doomed where repo.key.type == .user { try refusePipelineRepo(repo.key) }
        let ids = Set(doomed.map(\.id))
        for repo in doomed { _ = try deleteRepo(repo.key, besides: ids, force: force) }
        return doomed.map(\.key)
    }

    /// Deletes all repos and projects and makes the project `default` anew. Pipelines have to be gone before.
    package func deleteEverything() throws {
        try require(.clusterDeleteAll, on: .cluster)
        _ = try deleteRepos(in: nil, force: true)
        for project in try catalog.projects() {
            try catalog.setProjectDefaults(project.key, to: nil)
            try catalog.deleteProject(id: project.id)
            try catalog.setRoleBinding(.project(project.key), to: nil)
        }
        _ = try catalog.insert(ProjectRecord(key: .standard, description: "", createdAt: now))
        if try catalog.hasAuth() {
            try catalog.setRoleBinding(.project(.standard), to: AccessDefaults.standardProject)
        }
    }
}
