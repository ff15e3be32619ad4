import Core

extension HistoryTransaction {
    /// Makes a project, or with `update` replaces the description of an existing one (`pfs.md` §4.1).
    package func createProject(_ key: ProjectKey, description: String, update: Bool) throws {
        try refuseLaunches("it may not create projects")
        try NameRules.checkProject(key.name)
        let existing = try catalog.project(key)
        if update {
            guard var project = existing else { throw SpileError.projectNotFound(key) }
            try require(.projectModifyBindings, on: .project(key))
            project.description = description
            return try catalog.update(project)
        }
        try require(.projectCreate, on: .cluster)
        guard existing == nil else { throw SpileError(.alreadyExists, "project \(key) already exists") }
        _ = try catalog.insert(
            ProjectRecord(key: key, description: description, createdAt: now, createdBy: principal.name))
        try bind(.projectOwner, at: .project(key))
    }

    /// Deletes a project without repos.
    package func deleteProject(_ key: ProjectKey) throws {
        try refuseLaunches("it may not delete projects")
        guard let project = try catalog.project(key) else { throw SpileError.projectNotFound(key) }
        try require(.projectDelete, .projectModifyBindings, on: .project(key))
        let repos = try catalog.repos(in: [key], type: nil)
        guard repos.isEmpty else {
            let lines = repos.map { "cannot delete project \(key): repo \($0.key) still exists" }
            throw SpileError(.failedPrecondition, lines.joined(separator: "\n"), remedy: "delete its repos first")
        }
        try catalog.setProjectDefaults(key, to: nil)
        try catalog.deleteProject(id: project.id)
        try catalog.setRoleBinding(.project(key), to: nil)
    }
}

extension SpileError {
    package static func projectNotFound(_ key: ProjectKey) -> SpileError { .notFound("project \"\(key)\" not found") }
    package static func repoNotFound(_ key: RepoKey) -> SpileError { .notFound("repo \(key) not found") }
    package static func branchNotFound(_ key: BranchKey) -> SpileError {
        .notFound("branch \"\(key.name)\" not found in repo \(key.repo)")
    }
    package static func commitNotFound(_ handle: CommitHandle) -> SpileError { .notFound("commit \(handle) not found") }
    package static func alreadyFinished(_ key: CommitKey) -> SpileError {
        .domain("commit \(key) has already finished")
    }
    package static func parentUnfinished(_ key: CommitKey) -> SpileError {
        .domain("parent commit \(key) has not been finished", remedy: "finish it first, or write into it")
    }
}
