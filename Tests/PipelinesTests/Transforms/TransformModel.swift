import Core
import Simulation

@testable import Pipelines

/// What a pipeline's output has to be, worked out anew from the files of its input each time: nothing is skipped, and
/// nothing kept but which job did what.
struct TransformModel {
    /// A program as a pure function of what it sees. Both the played code and this model call it.
    struct Program: Sendable {
        var version: Int
        /// One in so many contents makes it fail; 0 for none.
        var failing: Int
        /// Whether failed datums are recovered.
        var recovers: Bool

        /// What it writes by path; nil where it fails.
        func output(of datum: String, _ inputs: [String: String]) -> [String: String]? {
            let seen = inputs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\n")
            let number = Self.number(seen + "#\(version % 2)")
            if failing > 0, number % UInt64(failing) == 0 { return nil }
            // Some paths stay when the content changes, others move, and some datums write nothing.
            if number % 5 == 0 { return [:] }
            return [
                "/\(datum.prefix(2))/\(datum)": "v\(version):\(seen)",
                "/by/\(number % 3)/\(datum)": String(repeating: "\(number % 7)", count: Int(number % 40)),
            ]
        }

        private static func number(_ text: String) -> UInt64 {
            text.utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 } >> 7
        }
    }

    /// A datum as its code sees it.
    struct Work {
        var datum: Datum
        var inputs: [String: String]
    }

    /// What a good job did of a datum, or inherited.
    struct Done: Equatable {
        var content: String
        var job: CommitID
        var isProcessed: Bool
        var output: [String: String]
    }

    /// Of the last job that ended well.
    var done: [Digest: Done] = [:]
    /// Changes when all is to be done anew.
    var salt = 0

    /// All datums of a tree over some files.
    static func works(_ tree: InputTree, _ files: DatumFiles) async throws -> [Work] {
        var works: [Work] = []
        try await DatumPlan(tree).datums(in: PlainSource(new: files)) { datum in
            var inputs: [String: String] = [:]
            for file in datum.files {
                let leaf = file.input.leaf
                let isFolder = file.path.hasSuffix("/")
                for (path, text) in files[leaf] where isFolder ? path.hasPrefix(file.path) : path == file.path {
                    inputs[leaf.name + path] = text
                }
            }
            works.append(Work(datum: datum, inputs: inputs))
            return true
        }
        return works
    }

    /// The next job's end: whether it is good, and what there is of it then. `everyJob`: nothing is skipped.
    mutating func run(
        _ program: Program, _ works: [Work], job: CommitID, everyJob: Bool
    ) -> (isGood: Bool, counts: DatumCounts) {
        var next: [Digest: Done] = [:]
        var counts = DatumCounts(total: Int64(works.count))
        for work in works {
            let content = PlainDatum(work.datum).content + "#\(salt)"
            if !everyJob, let known = done[work.datum.id], known.isProcessed, known.content == content {
                next[work.datum.id] = known
                counts.skipped += 1
                continue
            }
            let output = program.output(of: "\(work.datum.id)", work.inputs)
            if output == nil, !program.recovers { return (false, counts) }
            if output == nil { counts.recovered += 1 } else { counts.processed += 1 }
            next[work.datum.id] = Done(
                content: content, job: job, isProcessed: output != nil, output: output ?? [:])
        }
        done = next
        return (true, counts)
    }

    /// The output by path and datum.
    var output: [(path: String, datum: Digest, text: String)] {
        done.flatMap { id, done in done.output.map { (path: $0.key, datum: id, text: $0.value) } }
            .sorted { ($0.path, $0.datum.description) < ($1.path, $1.datum.description) }
    }
}

extension InputTree {
    /// The member `input` of a spec.
    var json: String {
        switch self {
        case .leaf(let leaf):
            """
            {"pfs": {"name": "\(leaf.name)", "repo": "\(leaf.branch.repo.name)", "glob": "\(leaf.glob)", \
            "joinOn": "\(leaf.joinOn)", "groupBy": "\(leaf.groupBy)", "outerJoin": \(leaf.isOuter)}}
            """
        case .combined(let combination, let children):
            "{\"\(combination.rawValue)\": [\(children.map(\.json).joined(separator: ", "))]}"
        }
    }
}
