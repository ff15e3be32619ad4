import Core
import Versioning

/// Tells what a file was made of, down to the files that nothing made, and what was made of it (``trace(_:sees:_:)``).
///
/// A file that a pipeline wrote bears the id of its datum; the pipeline's meta commit of the same set tells what that
/// datum read (`pps.md` §9.5). So nothing is kept for it besides what jobs leave behind.
package struct Lineage: Sendable {
    let history: History

    package init(history: History) { self.history = history }

    package struct Query: Sendable {
        /// A file or directory; read as it stands.
        package var file: FileReference
        /// To what was made of it, instead of what it was made of.
        package var isForward: Bool
        /// Ends the walk after so many nodes; 0 stands for 10,000.
        package var mostNodes: Int
        /// How many datums away from the file to go; 0 is all the way.
        package var depth: Int

        package init(file: FileReference, isForward: Bool = false, mostNodes: Int = 0, depth: Int = 0) {
            self.file = file
            self.isForward = isForward
            self.mostNodes = mostNodes == 0 ? 10_000 : min(mostNodes, Limits.walkedMost)
            self.depth = depth == 0 ? .max : depth
        }
    }

    package struct File: Sendable, Equatable {
        package var commit: CommitKey
        /// Absolute; a directory's ends in `/`.
        package var path: String
        package var size: UInt64
        /// Set where no datum made it.
        package var source: Source?
        /// Why nothing is told of what made it, where something did.
        package var problem = ""
    }

    /// What a source file came with.
    package struct Source: Sendable, Equatable {
        /// The newest commit up to the one that was read that changed the file, or something in the directory.
        package var commit: CommitKey
        package var started: Instant
        /// What its writer put down about it: for a spout the position of its source (docs/EXACTLY_ONCE.md).
        package var metadata: [String: String]
        /// The pipeline whose code wrote it.
        package var spout: PipelineKey?
        /// The commit that changed the file lies more than ``Lineage/searched`` back: this is the one that was read.
        package var isSearchCutOff: Bool
    }

    package struct Datum: Sendable, Equatable {
        /// The job that processed it: an earlier one than that of its output's commit where that skipped it.
        package var job: JobKey
        package var id: Digest
        package var state: DatumRecord.State
    }

    package struct Summary: Sendable, Equatable {
        package var nodes = 0
        package var edges = 0
        /// Files (going forward: outputs of a job) that were left out because the caller may not read their repo.
        package var hidden = 0
        /// A bound of the query was reached.
        package var isCutOff = false
    }

    /// Nodes are numbered from 1 in the order in which they are found, and come before the edges that name them.
    package enum Event: Sendable, Equatable {
        case file(Int, File)
        case datum(Int, Datum)
        /// `input`: the name under which a datum reads a file; empty for what it wrote.
        case edge(upstream: Int, downstream: Int, input: String)
        case end(Summary)
    }

    /// How many commits are looked at for the one that changed a source file.
    package static let searched = 1000
    /// The largest record of a datum that is read, in bytes.
    static let recordBytes: UInt64 = 16 << 20

    /// Walks from a file, breadth first. The caller has made sure that the file's own repo may be read; files of repos
    /// that `sees` refuses are counted and left out, with what lies behind them. The last event is the summary.
    ///
    /// Throws `notFound` where the file is not there. What was deleted since shows as a ``File/problem``.
    ///
    /// Cost. Backward: each datum's record is read once, and all entries of a directory that was read are passed over.
    /// Forward: for each job on the way, one descent into its meta commit for each of its datums and each of up to
    /// ``ForwardWalk/mostSought`` files, and the record of each datum that may match; beyond so many files the records
    /// of all its datums. Memory: some hundred bytes a node. Blocks on disk: call it from a pool that may.
    package func trace(
        _ query: Query, sees: (RepoKey) throws -> Bool, _ deliver: (Event) async throws -> Void
    ) async throws {
        // Written by this call alone; the walks are handed it inout in turn.
        var nodes = LineageNodes(most: query.mostNodes)
        let found = try LineageReader(history: history).find(query.file)
        if query.isForward {
            var walk = ForwardWalk(reader: LineageReader(history: history), depth: query.depth)
            try await walk.run(from: found, &nodes, sees, deliver)
        } else {
            var walk = BackwardWalk(reader: LineageReader(history: history), depth: query.depth)
            try await walk.run(from: found, &nodes, sees, deliver)
        }
        try await deliver(.end(nodes.summary))
    }
}

/// Which nodes there are, and what is to be told of the walk as a whole.
struct LineageNodes {
    enum Key: Hashable {
        case file(CommitKey, String)
        case datum(JobKey, Digest)
    }

    private let most: Int
    private var numbers: [Key: Int] = [:]
    private(set) var summary = Lineage.Summary()

    init(most: Int) { self.most = most }

    /// The number of a node and whether it is new; nil where there is no room for another.
    mutating func number(_ key: Key) -> (number: Int, isNew: Bool)? {
        if let known = numbers[key] { return (known, false) }
        guard numbers.count < most else {
            summary.isCutOff = true
            return nil
        }
        numbers[key] = numbers.count + 1
        summary.nodes += 1
        return (numbers.count, true)
    }

    /// How many more nodes there may be.
    var room: Int { most - numbers.count }

    mutating func noteEdge() { summary.edges += 1 }
    mutating func noteHidden() { summary.hidden += 1 }
    mutating func noteCut() { summary.isCutOff = true }
}
