import Core

/// An input tree with its leaves compiled.
indirect enum DatumNode: Sendable {
    case leaf(DatumInput)
    case union([DatumNode])
    case cross([DatumNode])
    case join([DatumNode])
    case group([DatumNode])
}

/// What of an evaluation is asked for. Without a base all is new.
enum Scope {
    /// What is there now or was at the base.
    case all
    /// What is the same on both sides.
    case kept
    /// What is not.
    case changes
}

enum Side: CaseIterable {
    case old
    case new
}

/// A file on both sides: at the base and now.
struct FilePair: Sendable {
    struct Content: Sendable, Equatable {
        var digest: Digest
        var size: UInt64
    }

    let input: DatumInput
    let path: String
    var old: Content?
    var new: Content?

    /// Content of files for reference is not looked at: they are the same as long as they are there.
    var isKept: Bool {
        guard let old, let new else { return false }
        return input.leaf.isReference || old.digest == new.digest
    }

    subscript(side: Side) -> Content? { side == .old ? old : new }

    /// Only what is on one side; nil if nothing is.
    func only(_ side: Side) -> FilePair? {
        guard self[side] != nil else { return nil }
        var pair = self
        if side == .old { pair.new = nil } else { pair.old = nil }
        return pair
    }

    func file(_ side: Side) -> InputFile {
        let content = self[side]!
        return InputFile(input: input, path: path, digest: content.digest, size: content.size)
    }

    /// Left to right in the tree, then by path.
    static func precedes(_ a: FilePair, _ b: FilePair) -> Bool {
        a.input.index == b.input.index ? FilePath.precedes(a.path, b.path) : a.input.index < b.input.index
    }
}

/// A datum on both sides: the files are the same ones, what they hold may differ. It is there on a side if all are.
struct DatumPair: Sendable {
    private(set) var files: [FilePair]
    private(set) var hasOld: Bool
    private(set) var hasNew: Bool
    private(set) var isKept: Bool

    /// No files: what files are appended to.
    static let empty = DatumPair([])

    init(_ files: [FilePair]) {
        self.files = files
        hasOld = files.allSatisfy { $0.old != nil }
        hasNew = files.allSatisfy { $0.new != nil }
        isKept = files.allSatisfy(\.isKept)
    }

    /// The files of both, in order.
    func appending(_ other: DatumPair) -> DatumPair {
        var result = self
        result.files += other.files
        result.hasOld = hasOld && other.hasOld
        result.hasNew = hasNew && other.hasNew
        result.isKept = isKept && other.isKept
        return result
    }

    /// Whether it is there on any side.
    var isAny: Bool { hasOld || hasNew }

    func isIn(_ scope: Scope) -> Bool {
        switch scope {
        case .all: isAny
        case .kept: isKept
        case .changes: isAny && !isKept
        }
    }

    var old: Datum? { hasOld ? Datum(files.map { $0.file(.old) }) : nil }
    var new: Datum? { hasNew ? Datum(files.map { $0.file(.new) }) : nil }
}
