import Core
import Storage

/// What is wrong in a store, and with which thing.
package struct HistoryFinding: Sendable, Equatable, CustomStringConvertible {
    package var subject: String
    package var problem: String
    package var description: String { "\(subject): \(problem)" }
}

extension History {
    /// Verifies that rows agree with each other and with the trees they name (I1–I3): heads, parents and provenance
    /// exist; every root can be read with the digest and counts its row says; with `data`, every byte too.
    ///
    /// Blocks for as long as reading takes; `report` gets each finding as it is found. Nodes that commits share are
    /// read once.
    package func check(data: Bool = false, _ report: (HistoryFinding) throws -> Void) throws {
        let sequences = try read { catalog -> [Int64] in
            try catalog.checkRows(report)
            var sequences: [Int64] = []
            try catalog.forEachRoot { sequence, _ in sequences.append(sequence) }
            return sequences
        }
        var seen = VerifiedNodes()
        for sequence in sequences {
            guard let commit = try read({ try $0.commit(sequence: sequence) }) else { continue }
            var findings: [HistoryFinding] = []
            do {
                try store.verify(commit.root, data: data, seen: &seen) { finding in
                    findings.append(HistoryFinding(subject: "commit \(commit.key)", problem: "\(finding)"))
                }
            } catch {
                findings.append(HistoryFinding(subject: "commit \(commit.key)", problem: "\(error)"))
            }
            try findings.forEach(report)
        }
    }
}

extension CatalogReader {
    fileprivate func checkRows(_ report: (HistoryFinding) throws -> Void) throws {
        for branch in try branches(repo: nil) {
            let subject = "branch \(branch.key)"
            guard let head = branch.head else {
                try report(HistoryFinding(subject: subject, problem: "has no head"))
                continue
            }
            guard let commit = try commit(sequence: head) else {
                try report(HistoryFinding(subject: subject, problem: "its head, commit number \(head), is missing"))
                continue
            }
            if commit.repo != branch.repo {
                try report(HistoryFinding(subject: subject, problem: "its head \(commit.key) is in another repo"))
            }
            for upstream in branch.provenance where try self.branch(id: upstream) == nil {
                try report(HistoryFinding(subject: subject, problem: "derives from a missing branch (\(upstream))"))
            }
        }
        var cursor: Int64?
        while true {
            let page = try commits(repo: nil, order: .oldestFirst, beyond: cursor, limit: 1000)
            guard let last = page.last else { return }
            for commit in page { try check(commit, report) }
            cursor = last.sequence
        }
    }

    private func check(_ record: CommitRecord, _ report: (HistoryFinding) throws -> Void) throws {
        let subject = "commit \(record.key)"
        if let parent = record.parent {
            guard let older = try commit(sequence: parent) else {
                return try report(HistoryFinding(subject: subject, problem: "its parent (\(parent)) is missing"))
            }
            if older.repo != record.repo {
                try report(HistoryFinding(subject: subject, problem: "its parent \(older.key) is in another repo"))
            }
        }
        for upstream in record.provenance where try commit(sequence: upstream) == nil {
            try report(HistoryFinding(subject: subject, problem: "derives from a missing commit (\(upstream))"))
        }
        if record.finished != nil && record.finishing == nil {
            try report(HistoryFinding(subject: subject, problem: "is finished without having been finishing"))
        }
    }
}
