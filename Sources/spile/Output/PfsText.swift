import API
import SwiftProtobuf

extension PfsText {
    /// `name`, or `name.type` for a repo that is not the user's.
    static func repo(_ repo: PfsV2_Repo) -> String {
        repo.type.isEmpty || repo.type == "user" ? repo.name : "\(repo.name).\(repo.type)"
    }

    /// The repo of a commit, from whichever of its two places is filled.
    static func repo(of commit: PfsV2_Commit) -> PfsV2_Repo {
        commit.hasRepo ? commit.repo : commit.branch.repo
    }

    /// `repo@id`.
    static func commit(_ commit: PfsV2_Commit) -> String { "\(repo(repo(of: commit)))@\(commit.id)" }

    /// `repo@branch`.
    static func branch(_ branch: PfsV2_Branch) -> String { "\(repo(branch.repo))@\(branch.name)" }

    static func size(_ info: PfsV2_CommitInfo) -> String {
        info.hasDetails ? formatSize(info.details.sizeBytes) : "≤ " + formatSize(info.sizeBytesUpperBound)
    }

    static func size(_ info: PfsV2_RepoInfo) -> String {
        info.hasDetails ? formatSize(info.details.sizeBytes) : "≤ " + formatSize(info.sizeBytesUpperBound)
    }

    /// `USER`, `AUTO` or `FSCK`.
    static func origin(_ kind: PfsV2_OriginKind) -> String {
        switch kind {
        case .user: "USER"
        case .auto: "AUTO"
        case .fsck: "FSCK"
        default: "ORIGIN_KIND_UNKNOWN"
        }
    }

    /// Reads `--origin`.
    static func origin(parsing text: String) throws -> PfsV2_OriginKind {
        switch text.uppercased() {
        case "": .unknown
        case "USER": .user
        case "AUTO": .auto
        case "FSCK": .fsck
        default: throw Failure("unknown origin \"\(text)\": use user, auto or fsck")
        }
    }

    static func trigger(_ trigger: PfsV2_Trigger) -> String {
        var conditions: [String] = []
        if !trigger.cronSpec.isEmpty { conditions.append("Cron(\(trigger.cronSpec))") }
        if !trigger.rateLimitSpec.isEmpty { conditions.append("RateLimit(\(trigger.rateLimitSpec))") }
        if !trigger.size.isEmpty { conditions.append("Size(\(trigger.size))") }
        if trigger.commits != 0 { conditions.append("Commits(\(trigger.commits))") }
        let all = conditions.joined(separator: trigger.all ? " and " : " or ")
        return "\(trigger.branch) on \(all)"
    }

    /// One row of `list commit repo`, `subscribe commit` and the members of a set.
    static let commitHeader = "PROJECT|REPO|COMMIT|FINISHED|SIZE|ORIGIN|CREATOR|DESCRIPTION"

    static func commitRow(_ info: PfsV2_CommitInfo, _ style: TimeStyle) -> [String] {
        let repo = repo(of: info.commit)
        return [
            repo.project.name, self.repo(repo), info.commit.id, style.text(info.finished, if: info.hasFinished),
            size(info), origin(info.origin.kind), info.createdBy.isEmpty ? "-" : info.createdBy, info.description_p,
        ]
    }

    static let commitSetHeader = "ID|SUBCOMMITS|PROGRESS|CREATED|MODIFIED"

    static func commitSetRow(_ set: PfsV2_CommitSetInfo, _ style: TimeStyle, _ palette: Palette) -> [String] {
        let finished = set.commits.filter(\.hasFinished)
        let failed = finished.count { !$0.error.isEmpty }
        let started = set.commits.filter(\.hasStarted).map(\.started).map {
            Instant(seconds: $0.seconds, nanos: $0.nanos)
        }
        return [
            set.commitSet.id, String(set.commits.count),
            palette.bar(
                done: finished.count - failed, waiting: set.commits.count - finished.count, failed: failed),
            started.min().map(style.text) ?? "-", started.max().map(style.text) ?? "-",
        ]
    }

    /// The labelled lines of one commit. An error of the commit is shown too.
    static func inspect(_ info: PfsV2_CommitInfo, _ style: TimeStyle) -> String {
        var text = "Commit: \(commit(info.commit))\nDescription: \(info.description_p)\n"
        if info.hasParentCommit { text += "Parent: \(info.parentCommit.id)\n" }
        text += "Started: \(style.text(info.started, if: info.hasStarted))\n"
        if info.hasFinished {
            text += "Finished: \(style.text(info.finished, if: true))\n"
            text += "Size: \(size(info))\n"
        }
        if !info.error.isEmpty { text += "Error: \(info.error)\n" }
        return text
    }
}
