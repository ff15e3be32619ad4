import Core
import Versioning

/// What a job has to do: found from the difference to its base where that is possible, and one step after the other, so
/// that no list of datums is held (`pps.md` §9.3).
struct JobPlan: Sendable {
    enum Step: Sendable {
        /// Work on a datum, its place among those found.
        case process(Datum, index: Int64)
        /// What the base has of a datum is no longer part of the output. Comes before the datum is worked on again.
        case drop(Digest)
    }

    /// How the work is found.
    private enum Way {
        /// There is nothing to begin with.
        case fromScratch
        /// The same inputs as those of the base, of which the differences count.
        case byDifference
        /// Each datum is looked up in what the base did.
        case byRecord
    }

    private let plan: DatumPlan
    let inputs: JobInputs
    private let salt: String
    private let base: JobBase?
    private let way: Way
    private let source: CommitSource
    private let records: DatumRecords?

    /// What the output is laid over.
    var ground: JobGround { base?.ground ?? .nothing }

    /// `base` is nil for none. Blocks.
    init(
        of job: JobRecord, _ pipeline: PipelineRecord, _ spec: PipelineSpec, inputs: [CommitRecord], base: JobBase?,
        in history: History
    ) throws {
        guard let input = spec.input else { throw SpileError.bug("transform \(pipeline.key) has no input") }
        let tree = try InputTree(input, of: pipeline.key)
        plan = try DatumPlan(tree)
        salt = pipeline.salt
        let base = spec.reprocessesAll ? nil : base
        self.base = base
        records = try base.map { DatumRecords(try history.files(CommitHandle($0.meta.key))) }
        way = try Self.way(tree, pipeline, base)
        self.inputs = try JobInputs(of: plan, inputs, in: history)
        let before = way == .byDifference ? try JobInputs(of: plan, base?.inputs ?? [], in: history).files : []
        source = CommitSource(self.inputs.files, base: before)
    }

    private static func way(_ tree: InputTree, _ pipeline: PipelineRecord, _ base: JobBase?) throws -> Way {
        guard let base else { return .fromScratch }
        guard let inputs = base.inputs, base.job.counts.recovered == 0, let before = base.pipeline,
            // A repo that was deleted since is in no commit's provenance any more.
            tree.leaves.allSatisfy({ leaf in inputs.contains { $0.key.repo == leaf.branch.repo } }),
            before.salt == pipeline.salt, let input = try PipelineSpec(canonical: before.effectiveSpec).input,
            try InputTree(input, of: pipeline.key) == tree
        else { return .byRecord }
        return .byDifference
    }

    /// Hands on all steps until `body` gives false; returns how many datums the job has in all. Blocks.
    func steps(_ body: (Step) async throws -> Bool) async throws -> Int64 {
        switch way {
        case .fromScratch: return try await fromScratch(body)
        case .byDifference: return try await byDifference(body)
        case .byRecord: return try await byRecord(body)
        }
    }

    private func fromScratch(_ body: (Step) async throws -> Bool) async throws -> Int64 {
        var total: Int64 = 0
        try await plan.datums(in: source) { datum in
            total += 1
            return try await body(.process(datum, index: total - 1))
        }
        return total
    }

    private func byDifference(_ body: (Step) async throws -> Bool) async throws -> Int64 {
        var total = base?.job.counts.total ?? 0
        var index: Int64 = 0
        try await plan.changes(in: source) { change in
            switch change {
            case .removed(let datum):
                total -= 1
                return try await body(.drop(datum.id))
            case .added(let datum):
                total += 1
                index += 1
                return try await body(.process(datum, index: index - 1))
            case .changed(_, let datum):
                index += 1
                guard try await body(.drop(datum.id)) else { return false }
                return try await body(.process(datum, index: index - 1))
            }
        }
        return total
    }

    private func byRecord(_ body: (Step) async throws -> Bool) async throws -> Int64 {
        guard let records else { throw SpileError.bug("a job without a base was compared with one") }
        var total: Int64 = 0
        var present: Set<Digest> = []
        var goesOn = true
        try await plan.datums(in: source) { datum in
            total += 1
            present.insert(datum.id)
            let known = try records.record(of: datum.id)
            if let known, known.state == .processed, known.hash == datum.hash(salt: salt) { return true }
            if known != nil { goesOn = try await body(.drop(datum.id)) }
            if goesOn { goesOn = try await body(.process(datum, index: total - 1)) }
            return goesOn
        }
        if !goesOn { return total }
        try await records.each { id in present.contains(id) ? true : try await body(.drop(id)) }
        return total
    }

    /// The paths that a datum has in the base's output. Blocks.
    func outputs(of datum: Digest, _ body: (String) throws -> Void) async throws {
        try await records?.outputs(of: datum) { path in
            try body(path)
            return true
        }
    }
}
