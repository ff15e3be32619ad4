import API
import Core
import Foundation
import Versioning

/// History to messages.
extension ProjectRecord {
    var message: PfsV2_ProjectInfo {
        .with {
            $0.project = key.message
            $0.description_p = description
            $0.createdAt = createdAt.message
            $0.createdBy = createdBy
            $0.metadata = metadata
        }
    }
}

extension CommitView {
    var message: PfsV2_CommitInfo {
        .with {
            $0.commit = record.key.message
            $0.origin.kind = record.origin == .user ? .user : .auto
            $0.description_p = record.description
            if let parent { $0.parentCommit = parent.message }
            $0.childCommits = children.map(\.message)
            $0.directProvenance = provenance.map(\.message)
            $0.directSubvenance = subvenance.map(\.message)
            $0.started = record.started.message
            $0.createdAt = record.started.message
            if let finishing = record.finishing { $0.finishing = finishing.message }
            if let finished = record.finished { $0.finished = finished.message }
            $0.error = record.error
            $0.createdBy = record.createdBy
            $0.metadata = record.metadata
            $0.details = .init()
            if let size { $0.details.sizeBytes = Int64(clamping: size) }
        }
    }

    /// As lists show it: with the size known so far.
    var listed: PfsV2_CommitInfo {
        var message = message
        message.sizeBytesUpperBound = Int64(clamping: record.root.bytes)
        return message
    }
}

extension BranchView {
    var message: PfsV2_BranchInfo {
        .with {
            $0.branch = record.key.message
            if let head { $0.head = head.message }
            $0.directProvenance = directProvenance.map(\.message)
            $0.provenance = provenance.map(\.message)
            $0.subvenance = subvenance.map(\.message)
            $0.createdBy = record.createdBy
            $0.createdAt = record.createdAt.message
            $0.updatedAt = record.updatedAt.message
            $0.metadata = record.metadata
            if let trigger = record.trigger { $0.trigger = trigger.message }
            $0.branchPropagationSpecs = quiet.map { upstream in
                .with {
                    $0.branch = upstream.message
                    $0.propagationSpec.never = true
                }
            }
        }
    }
}

extension FileView {
    func message(in commit: CommitRecord) -> PfsV2_FileInfo {
        .with {
            $0.file.commit = commit.key.message
            $0.file.path = path
            $0.file.datum = datum
            $0.fileType = isDirectory ? .dir : .file
            if let finishing = commit.finishing { $0.committed = finishing.message }
            $0.sizeBytes = Int64(clamping: size)
            $0.hash = Data(digest.bytes)
        }
    }
}

extension FileReference {
    init(_ message: PfsV2_File) throws {
        guard message.hasCommit else { throw SpileError.invalid("file cannot be nil", remedy: "set file.commit") }
        self.init(commit: try CommitHandle(message.commit), path: message.path, datum: message.datum)
    }
}

extension PathRange {
    init(_ message: PfsV2_PathRange) { self.init(lower: message.lower, upper: message.upper) }
}
