import Core
import Storage

/// What one durable transaction of a launch brought into the output repo of its pipeline.
package struct Landing: Sendable, Equatable {
    /// Commits that were finished and are not in error.
    package var commits = 0
    /// Paths that writes changed, those that they removed among them.
    package var files = 0
    /// Bytes of content in these writes.
    package var bytes = 0
    /// The transaction's instant.
    package var instant: Instant

    package init(commits: Int = 0, files: Int = 0, bytes: Int = 0, at instant: Instant) {
        self.commits = commits
        self.files = files
        self.bytes = bytes
        self.instant = instant
    }

    var isEmpty: Bool { commits == 0 && files == 0 && bytes == 0 }
}

/// Hears of what launches have written. Called on the committer's thread before the launch gets its answer: it must
/// not wait, nor touch the disk.
package protocol LandingObserver: Sendable {
    func landed(_ landing: Landing, by pipeline: PipelineKey, epoch: Int64)
}

extension HistoryTransaction {
    /// Notes the content of a write that a commit took up.
    func noteWritten(_ set: ChangeSet) {
        guard case .launch = principal else { return }
        landing.files += set.count
        landing.bytes += Int(clamping: set.contentBytes)
    }

    /// Notes a commit that was finished, and the branch it was made on if that is still there.
    func noteFinished(_ commit: CommitRecord, on branch: BranchKey?) {
        if let branch { finished.append((commit, branch)) }
        guard case .launch(let pipeline, _) = principal, commit.error.isEmpty, commit.origin == .user,
            commit.key.repo == pipeline.repo(.user)
        else { return }
        landing.commits += 1
    }
}
