import Core
import Versioning

/// The datums that an input tree makes (`pps.md` §9.1), all of them or only what changed since another job.
///
/// What each kind of input gives:
/// - a leaf: one datum for each match of its glob;
/// - a union: the datums of its children;
/// - a cross: each combination of one datum of each child, files in the order of the children; none if a child has
///   none;
/// - a join: for each key the combinations of one *file* of each child; where a child has none with the key, those of
///   the outer inputs' files with it, and none if there are none;
/// - a group: for each key one datum of all *files* with it, in the order of the children, then by path.
///
/// Joins and groups go by the files of their children's datums, each taken once with the key of its own input, however
/// many datums of a nested cross it is in.
///
/// Datums are handed over as they are found: memory follows keys and changes, never the number of combinations, and
/// file content is not read. A value; evaluations may run side by side. They block on disk where the source does, and
/// end with `CancellationError` when their task is cancelled; an error of the source is passed on.
package struct DatumPlan: Sendable {
    /// The leaves from the left: sources are asked about them, and take their commits in this order.
    package let inputs: [DatumInput]
    private let tree: DatumNode
    /// Whether two places of the tree can make the same datum: siblings of a union that share name, repo and branch.
    private let mayRepeat: Bool
    private let bufferedFiles: Int

    /// Compiles the tree; throws `unknown` where a glob is malformed, with the input's name.
    package init(_ tree: InputTree) throws(SpileError) { try self.init(tree, bufferedFiles: 4096) }

    /// `bufferedFiles`: how many files of a product's inner factor are kept in memory rather than found again.
    init(_ tree: InputTree, bufferedFiles: Int) throws(SpileError) {
        var inputs: [DatumInput] = []
        self.tree = try Self.compile(tree, &inputs)
        self.inputs = inputs
        self.bufferedFiles = bufferedFiles
        let origins = Set(inputs.map { [$0.leaf.name, $0.leaf.branch.repo.name, $0.leaf.branch.name] })
        mayRepeat = origins.count < inputs.count
    }

    private static func compile(_ tree: InputTree, _ inputs: inout [DatumInput]) throws(SpileError) -> DatumNode {
        switch tree {
        case .leaf(let leaf):
            let input = try DatumInput(leaf, index: inputs.count)
            inputs.append(input)
            return .leaf(input)
        case .combined(let combination, let trees):
            var children: [DatumNode] = []
            for tree in trees { children.append(try compile(tree, &inputs)) }
            switch combination {
            case .union: return .union(children)
            case .cross: return .cross(children)
            case .join: return .join(children)
            case .group: return .group(children)
            }
        }
    }

    /// All datums, each id once, in an order that the same commits always give: by path where there is one leaf. Ends
    /// when `body` gives false.
    ///
    /// Cost: a walk of each glob; for a cross, of each inner factor once for each combination of those before it,
    /// unless it is small; the datums themselves. Memory: the files of joins and groups. Siblings of a union that share
    /// name, repo and branch cost 64 bytes for each datum; where such repos are of different projects and the same path
    /// makes the same datum in both, `unknown` is thrown, as nothing could tell the two apart.
    package func datums(
        in source: any DatumSource, _ body: (Datum) async throws -> Bool
    ) async throws {
        var seen = SeenDatums()
        let evaluation = DatumEvaluation(source: source, changed: nil, bufferedFiles: bufferedFiles)
        try await evaluation.each(tree, .all) { pair in
            guard let datum = pair.new, try !mayRepeat || seen.insert(datum) else { return true }
            return try await body(datum)
        }
    }

    /// How the datums now differ from those of the same tree at the source's base; each id comes up once, in no order
    /// to rely on. What is not told of is as it was, with the same hash. Ends when `body` gives false.
    ///
    /// Cost: of a leaf, the difference of its two commits; of a union, that of its children; of a cross, the
    /// combinations with a file that changed, and a walk of the other factors to find them; of a join or a group with a
    /// change in it, a walk over all its inputs, and the datums of the keys with a change. A tree without a change
    /// costs nothing further. Memory: the files that changed, and the files of joins' and groups' keys with a change
    /// (of all keys where they stand in a cross). Where ``datums(in:_:)`` has to remember what it saw, all datums are
    /// gone through, and those that changed are held.
    ///
    /// For a tree that is not the one of the base, evaluate both in full.
    package func changes(
        in source: any DatumSource, _ body: (DatumChange) async throws -> Bool
    ) async throws {
        var changed: [[FilePair]] = []
        for input in inputs { changed.append(try await Self.changedFiles(of: input, in: source)) }
        if changed.allSatisfy(\.isEmpty) { return }
        let evaluation = DatumEvaluation(source: source, changed: changed, bufferedFiles: bufferedFiles)
        if mayRepeat { return try await settledChanges(evaluation, body) }
        try await evaluation.each(tree, .changes) { pair in
            guard let change = DatumChange(from: pair.old, to: pair.new) else { return true }
            return try await body(change)
        }
    }

    /// By path, without what is only referred to and is still there.
    private static func changedFiles(of input: DatumInput, in source: any DatumSource) async throws -> [FilePair] {
        var files: [FilePair] = []
        try await source.changes(of: input) { change in
            try Task.checkCancellation()
            guard let path = change.new?.path ?? change.old?.path else { return true }
            let pair = FilePair(
                input: input, path: path, old: change.old.map { .init(digest: $0.digest, size: $0.size) },
                new: change.new.map { .init(digest: $0.digest, size: $0.size) })
            if !pair.isKept { files.append(pair) }
            return true
        }
        return files
    }

    /// Changes where one place can take away what another still gives: all of both sides is looked through for the ids
    /// in question.
    private func settledChanges(
        _ evaluation: DatumEvaluation, _ body: (DatumChange) async throws -> Bool
    ) async throws {
        var ids: Set<Digest> = []
        try await evaluation.each(tree, .changes) { pair in
            if let id = pair.new?.id ?? pair.old?.id { ids.insert(id) }
            return true
        }
        if ids.isEmpty { return }
        var sides: [Digest: (old: Datum?, new: Datum?)] = [:]
        var (seenOld, seenNew) = (SeenDatums(), SeenDatums())
        try await evaluation.each(tree, .all) { pair in
            if let old = pair.old, ids.contains(old.id), try seenOld.insert(old) {
                sides[old.id, default: (nil, nil)].old = old
            }
            if let new = pair.new, ids.contains(new.id), try seenNew.insert(new) {
                sides[new.id, default: (nil, nil)].new = new
            }
            return true
        }
        for (old, new) in sides.values {
            guard let change = DatumChange(from: old, to: new) else { continue }
            guard try await body(change) else { return }
        }
    }
}

extension DatumChange {
    /// Nil if there is no difference that counts.
    init?(from old: Datum?, to new: Datum?) {
        switch (old, new) {
        case (nil, nil): return nil
        case (nil, let new?): self = .added(new)
        case (let old?, nil): self = .removed(old)
        case (let old?, let new?):
            if old.hash(salt: "") == new.hash(salt: "") { return nil }
            self = .changed(from: old, to: new)
        }
    }
}

/// The datums that came up, for trees in which one can come twice.
private struct SeenDatums {
    /// A hash of the branches that its files are on, by id, which has no project.
    private var origins: [Digest: Digest] = [:]

    /// Whether it is the first of its id; throws if it is another one of the same id, which no retry mends.
    mutating func insert(_ datum: Datum) throws(SpileError) -> Bool {
        let branches = datum.files.map { "\($0.input.leaf.branch)" }.joined(separator: " ")
        let origin = Blake2bHash.digest(Array(branches.utf8))
        guard let known = origins.updateValue(origin, forKey: datum.id) else { return true }
        if known == origin { return false }
        let names = datum.files.map { "\($0.input.leaf.branch)\($0.path)" }.joined(separator: ", ")
        throw .domain(
            "two different files make the same datum \(datum.id), one of them in \(names)",
            remedy: "give the inputs of the union different names")
    }
}
