import Core
import Versioning

/// What the supervisor needs for code that reads commits.
package protocol ServiceInputs: Sendable {
    /// Finds what a service's job reads: its one datum. Throws `failedPrecondition` where there is none, or more.
    func find(_ job: CommitID, of pipeline: PipelineRecord) async throws -> ServiceInput

    /// Removes what an earlier server left. To be called when nothing of that runs any more.
    func removeLeftovers() throws
}

/// What a service's code finds at `/pfs`.
package struct ServiceInput: Sendable {
    /// Tell the code of its datum (`pps.md` §6.3).
    package var variables: [String: String]
    /// What its lines are kept under.
    package var datum: Digest?
    package var data: [LogInput]
    private let inputs: [LaidInput]
    private let folder: String

    /// `folder` is where the files are laid out; it must not exist.
    package init(
        variables: [String: String], datum: Digest? = nil, data: [LogInput] = [], inputs: [LaidInput], folder: String
    ) {
        self.variables = variables
        self.datum = datum
        self.data = data
        self.inputs = inputs
        self.folder = folder
    }

    /// Lays the files out; the caller removes the folder when the launch is over. `environment` becomes `.env`.
    package func lay(
        environment: [(name: String, value: String)], owner: PfsOwner
    ) async throws -> PfsFolder {
        try await PfsFolder.lay(inputs, variables: environment, at: folder, owner: owner)
    }
}

/// The inputs that history has. Its calls block on disk: they are made on tasks whose executor may block.
package struct HistoryInputs: ServiceInputs {
    private let history: History
    /// Holds a folder for each launch.
    private let root: String
    private let randomness: any Randomness

    package init(history: History, root: String, randomness: any Randomness) {
        self.history = history
        self.root = root
        self.randomness = randomness
    }

    package func find(_ job: CommitID, of pipeline: PipelineRecord) async throws -> ServiceInput {
        let spec = try PipelineSpec(canonical: pipeline.effectiveSpec)
        guard let input = spec.input else { throw SpileError.bug("service \(pipeline.key) has no input") }
        let plan = try DatumPlan(try InputTree(input, of: pipeline.key))
        let key = JobKey(pipeline: pipeline.key, id: job)
        let upstream = try history.read { catalog in
            guard let record = try catalog.job(key) else { throw Jobs.missing(key) }
            try catalog.requireInputs(of: spec)
            return try catalog.inputs(of: record) ?? []
        }
        let inputs = try JobInputs(of: plan, upstream, in: history)
        var found: [Datum] = []
        try await plan.datums(in: CommitSource(inputs.files)) { datum in
            found.append(datum)
            return found.count < 2
        }
        guard found.count == 1 else {
            throw SpileError(
                .failedPrecondition,
                "services must have a single datum, and the inputs make \(found.isEmpty ? "none" : "more than one")",
                remedy: "let the globs match one path each: \"/\" is the whole commit")
        }
        return ServiceInput(
            variables: found[0].variables(commits: inputs.commits, output: job), datum: found[0].id,
            data: found[0].logInputs, inputs: inputs.laid(found[0]),
            folder: "\(root)/\(Hex.encode(randomness.next().bytes))")
    }

    package func removeLeftovers() throws {
        try FolderRemoval.remove(root)
        guard LocalFile.makeFolder(root, mode: 0o700) else { throw LocalFile.fault("make folder", root) }
    }
}

extension UInt64 {
    fileprivate var bytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (56 - 8 * $0)) } }
}
