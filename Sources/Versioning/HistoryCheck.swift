import Core
import Storage

/// What is wrong in a store, and with which thing.
package struct HistoryFinding: Sendable, Equatable, CustomStringConvertible {
    /// A branch, a commit, a file set, a job or a segment.
    package var subject: String
    /// The file, if it is about one.
    package var path: String?
    /// The slot, if it is about one.
    package var slot: Pointer?
    package var problem: String

    package init(subject: String, path: String? = nil, slot: Pointer? = nil, problem: String) {
        self.subject = subject
        self.path = path
        self.slot = slot
        self.problem = problem
    }

    package var description: String {
        subject + ": " + (path.map { "\($0): " } ?? "") + (slot.map { "slot \($0): " } ?? "") + problem
    }
}

/// A check of everything: that rows agree with each other and with the trees they name (I1–I3), that every root of a
/// commit or a file set can be read with the digest and counts its row says, that segments have a sound directory, that
/// every slot that is referred to is there, that jobs and their commits end together; with data, also every byte.
///
/// Gives one finding at a time, and keeps of history only a page of it: memory is three bits per slot. One owner; calls
/// block. History goes on meanwhile: what is deleted while it is checked is no finding. Throws only where the catalog
/// does not answer.
package final class HistoryCheck {
    private enum Stage {
        case segments(next: Int)
        case branches(next: Int)
        case commits
        case fileSets
        case jobs
        case done
    }

    /// Who names a tree.
    private enum Owner {
        case commit(CommitRecord)
        case fileSet(FileSetID)

        var subject: String {
            switch self {
            case .commit(let commit): "commit \(commit.key)"
            case .fileSet(let id): "file set \(id)"
            }
        }
    }

    /// The trees under way: they stay as long as `reading` lasts.
    private struct Page {
        var trees: [(owner: Owner, root: Root)] = []
        var next = 0
        var reading: Activity?
    }

    private static let pageSize = 200

    private let history: History
    private let data: Bool
    private let seen = VerifiedNodes()
    private let segments: [UInt64]
    private let repos: [RepoRecord]
    private var stage = Stage.segments(next: 0)
    private var page = Page()
    private var lastCommit: Int64?
    private var lastFileSet: FileSetID?
    private var lastJob: Int64?
    private var tree: (owner: Owner, root: Root, check: TreeCheck)?
    private var found: [HistoryFinding] = []

    init(_ history: History, data: Bool) throws {
        self.history = history
        self.data = data
        segments = history.store.segmentIDs
        repos = try history.read { try $0.repos(in: nil, type: nil) }
    }

    /// Slots looked at so far.
    package var slots: Int { seen.count }

    /// The next finding; nil at the end.
    package func next() throws -> HistoryFinding? {
        while found.isEmpty {
            switch stage {
            case .segments(let index):
                stage = index + 1 < segments.count ? .segments(next: index + 1) : .branches(next: 0)
                if index < segments.count { checkSegment(segments[index]) }
            case .branches(let index):
                stage = index + 1 < repos.count ? .branches(next: index + 1) : .commits
                if index < repos.count { try history.read { try checkBranches(of: repos[index], $0) } }
            case .commits, .fileSets: try checkTrees()
            case .jobs: try history.read { try checkJobs($0) }
            case .done: return nil
            }
        }
        return found.removeFirst()
    }

    private func report(_ subject: String, _ problem: String) {
        found.append(HistoryFinding(subject: subject, problem: problem))
    }

    private func checkSegment(_ id: UInt64) {
        do {
            if let problem = try history.store.problem(ofSegment: id) { report("segment \(id)", problem) }
        } catch {
            report("segment \(id)", "\(error)")
        }
    }

    // MARK: Trees

    private func checkTrees() throws {
        if tree != nil { return try checkTree() }
        if page.next < page.trees.count {
            let (owner, root) = page.trees[page.next]
            page.next += 1
            tree = (owner, root, history.store.check(root, data: data, seen: seen))
            return
        }
        let reading = history.store.beginReading()
        let trees = if case .fileSets = stage { try nextFileSets() } else { try nextCommits() }
        page = Page(trees: trees, reading: reading)
    }

    private func nextCommits() throws -> [(Owner, Root)] {
        try history.read { catalog in
            let commits = try catalog.commits(
                repo: nil, order: .oldestFirst, beyond: lastCommit, limit: Self.pageSize)
            for commit in commits { try check(commit, catalog) }
            if let last = commits.last { lastCommit = last.sequence } else { stage = .fileSets }
            return commits.flatMap { commit in commit.roots.map { (.commit(commit), $0) } }
        }
    }

    private func nextFileSets() throws -> [(Owner, Root)] {
        let sets = try history.read { try $0.fileSets(beyond: lastFileSet, limit: Self.pageSize) }
        if let last = sets.last { lastFileSet = last.id } else { stage = .jobs }
        return sets.flatMap { set in [set.content, set.deletions].map { (.fileSet(set.id), $0) } }
    }

    private func checkTree() throws {
        guard let (owner, root, _) = tree else { return }
        let finding: HistoryFinding
        do {
            guard let next = try tree?.check.next() else {
                tree = nil
                return
            }
            finding = HistoryFinding(
                subject: owner.subject, path: next.key?.description, slot: next.pointer, problem: next.message)
        } catch {
            tree = nil
            finding = HistoryFinding(subject: owner.subject, problem: "\(error)")
        }
        // What has been deleted or written meanwhile, and its tree with it, is none of ours any more.
        if try names(owner, root) { found.append(finding) } else { tree = nil }
    }

    /// Whether `owner` names the tree now.
    private func names(_ owner: Owner, _ root: Root) throws -> Bool {
        try history.read { catalog in
            switch owner {
            case .commit(let commit):
                try catalog.commit(sequence: commit.sequence)?.roots.contains { $0.pointer == root.pointer } == true
            case .fileSet(let id): try catalog.fileSet(id) != nil
            }
        }
    }

    // MARK: Rows

    private func checkBranches(of repo: RepoRecord, _ catalog: any CatalogReader) throws {
        for branch in try catalog.branches(repo: repo.id) {
            let subject = "branch \(branch.key)"
            for upstream in branch.provenance where try catalog.branch(id: upstream) == nil {
                report(subject, "derives from a missing branch (\(upstream))")
            }
            guard let head = branch.head else {
                report(subject, "has no head")
                continue
            }
            guard let commit = try catalog.commit(sequence: head) else {
                report(subject, "its head, commit number \(head), is missing")
                continue
            }
            if commit.repo != branch.repo { report(subject, "its head \(commit.key) is in another repo") }
        }
    }

    private func check(_ record: CommitRecord, _ catalog: any CatalogReader) throws {
        let subject = "commit \(record.key)"
        if let parent = record.parent {
            if let older = try catalog.commit(sequence: parent) {
                if older.repo != record.repo { report(subject, "its parent \(older.key) is in another repo") }
                if older.sequence >= record.sequence { report(subject, "its parent \(older.key) is not older") }
            } else {
                report(subject, "its parent, commit number \(parent), is missing")
            }
        }
        if let branch = record.branch, try catalog.branch(id: branch) == nil {
            report(subject, "the branch it was made on (\(branch)) is missing")
        }
        for upstream in record.provenance where try catalog.commit(sequence: upstream) == nil {
            report(subject, "derives from a missing commit (\(upstream))")
        }
        if record.finished != nil && record.finishing == nil {
            report(subject, "is finished without having been finishing")
        }
        if record.layer != nil && record.isFinished { report(subject, "is finished and still has a layer of its own") }
    }

    private func checkJobs(_ catalog: any CatalogReader) throws {
        let jobs = try catalog.jobs(JobFilter(), order: .oldestFirst, beyond: lastJob, limit: Self.pageSize)
        guard let last = jobs.last else {
            stage = .done
            return
        }
        lastJob = last.number
        var pipelines: [PipelineKey: Bool] = [:]
        for job in jobs {
            let key = job.key.pipeline
            let isThere = try pipelines[key] ?? (catalog.pipeline(key) != nil)
            pipelines[key] = isThere
            if !isThere { report("job \(job.key)", "its pipeline is missing") }
            try check(job, catalog)
        }
    }

    private func check(_ job: JobRecord, _ catalog: any CatalogReader) throws {
        let subject = "job \(job.key)"
        guard let output = try catalog.commit(sequence: job.commit) else {
            // One that is over stays when its commit is deleted.
            if !job.state.isTerminal { report(subject, "is not over, and its output commit is missing") }
            return
        }
        if job.state.isTerminal && output.isOpen { report(subject, "is over, and its output commit is open") }
        if !job.state.isTerminal && output.isFinished { report(subject, "is not over, and its output commit is") }
        if output.isFinished, let meta = try catalog.metaCommit(of: output.key), meta.isOpen {
            report(subject, "its output commit is finished, and the one that tells of its datums is open")
        }
    }
}

extension CommitRecord {
    /// The trees that it names.
    fileprivate var roots: [Root] { [root] + (layer.map { [$0.content, $0.deletions] } ?? []) }
}

extension History {
    /// Begins a check of everything; ``HistoryCheck/next()`` gives what is wrong.
    package func makeCheck(data: Bool = false) throws -> HistoryCheck { try HistoryCheck(self, data: data) }

    /// Checks everything and reports each finding as it is found. Blocks for as long as reading takes.
    package func check(data: Bool = false, _ report: (HistoryFinding) throws -> Void) throws {
        let check = try makeCheck(data: data)
        while let finding = try check.next() { try report(finding) }
    }
}
