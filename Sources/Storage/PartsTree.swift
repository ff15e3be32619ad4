import Core

/// The top of a long part list.
struct PartsRoot: Sendable {
    var pointer: Pointer
    var digest: Digest
    /// 0: the top node holds parts; else it holds children one level lower.
    var level: UInt8
    var count: UInt64
    var bytes: UInt64

    func encode(to bytes: inout [UInt8]) {
        bytes.append(pointer)
        bytes.append(digest)
        bytes.append(level)
        bytes.appendVarint(count)
        bytes.appendVarint(self.bytes)
    }

    init(pointer: Pointer, digest: Digest, level: UInt8, count: UInt64, bytes: UInt64) {
        self.pointer = pointer
        self.digest = digest
        self.level = level
        self.count = count
        self.bytes = bytes
    }

    init(_ reader: inout ByteReader) throws {
        pointer = try reader.pointer()
        digest = try reader.digest()
        level = try reader.byte()
        count = try reader.varint()
        bytes = try reader.varint()
    }
}

/// A node of a long part list. Cut by the hashes of its items alone, so the same list always gives the same nodes.
enum PartsNode: Sendable {
    case leaf([Part])
    case inner([PartsRoot])

    static let minimum = 16
    static let maximum = 256

    /// Whether a node of `count` items ends with the item of this hash.
    static func cuts(_ hash: Digest, count: Int) -> Bool {
        count >= maximum || (count >= minimum && hash.words.3 & 63 == 0)
    }

    private static let leafDomain = Array("spile.parts.1".utf8)
    private static let innerDomain = Array("spile.parts-inner.1".utf8)

    static func digest(_ parts: [Part]) -> Digest {
        if parts.isEmpty { return .zero }
        var text = leafDomain
        for part in parts {
            text.appendFixed(UInt64(part.length))
            text.append(part.hash)
        }
        return text.withUnsafeBytes { BlockHash.sha256($0) }
    }

    static func digest(_ children: [PartsRoot]) -> Digest {
        var text = innerDomain
        for child in children { text.append(child.digest) }
        return text.withUnsafeBytes { BlockHash.sha256($0) }
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .leaf(let parts):
            bytes.append(0)
            bytes.appendVarint(parts.count)
            for part in parts {
                bytes.appendVarint(UInt64(part.length))
                bytes.append(part.pointer)
                bytes.append(part.hash)
            }
        case .inner(let children):
            bytes.append(1)
            bytes.appendVarint(children.count)
            for child in children { child.encode(to: &bytes) }
        }
        return bytes
    }

    init(_ buffer: UnsafeRawBufferPointer) throws {
        var reader = ByteReader(buffer)
        let isInner = try reader.byte() == 1
        let count = try reader.listCount()
        if isInner {
            self = .inner(try (0..<count).map { _ in try PartsRoot(&reader) })
        } else {
            self = .leaf(try (0..<count).map { _ in
                Part(
                    length: UInt32(truncatingIfNeeded: try reader.varint()), pointer: try reader.pointer(),
                    hash: try reader.digest())
            })
        }
        guard reader.remaining == 0 else { throw ByteReader.damaged }
    }

    static func load(_ pointer: Pointer, _ slots: SlotStore) throws -> PartsNode {
        let (record, bytes) = try slots.readVerified(pointer)
        guard record.kind == .partsLeaf || record.kind == .partsInner else {
            throw SpileError(.dataLoss, "slot \(pointer) is no node of a part list", remedy: "run `spile check`")
        }
        return try bytes.withUnsafeBytes { try PartsNode($0) }
    }
}

/// Grows a part list at its end; touches only the right edge of its tree. One owner.
struct PartsBuilder {
    private let slots: SlotStore
    private let writer: SlotWriter
    private var parts: [Part] = []
    /// Open nodes of inner levels, lowest first.
    private var levels: [[PartsRoot]] = []
    private(set) var count: UInt64 = 0
    private(set) var bytes: UInt64 = 0

    init(slots: SlotStore, writer: SlotWriter) {
        self.slots = slots
        self.writer = writer
    }

    /// Goes on behind `list`.
    init(resuming list: PartList, slots: SlotStore, writer: SlotWriter) throws {
        self.init(slots: slots, writer: writer)
        switch list {
        case .inline(let parts):
            self.parts = parts
            count = UInt64(parts.count)
            bytes = list.byteCount
        case .tree(let root):
            count = root.count
            bytes = root.bytes
            try reopen(root)
        }
    }

    private mutating func reopen(_ root: PartsRoot) throws {
        levels = Array(repeating: [], count: Int(root.level))
        var current = root
        while true {
            switch try PartsNode.load(current.pointer, slots) {
            case .inner(var children):
                guard let last = children.popLast() else { throw ByteReader.damaged }
                levels[Int(current.level) - 1] = children
                current = last
            case .leaf(let parts):
                guard let last = parts.last else { throw ByteReader.damaged }
                // A node that ended of itself is complete: it is taken as it is.
                if PartsNode.cuts(last.hash, count: parts.count) {
                    try push(current, level: 0)
                } else {
                    self.parts = parts
                }
                return
            }
        }
    }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ part: Part) throws {
        parts.append(part)
        count += 1
        bytes += UInt64(part.length)
        if PartsNode.cuts(part.hash, count: parts.count) { try emitLeaf() }
    }

    private mutating func emitLeaf() throws {
        let node = PartsNode.leaf(parts)
        let pointer = try node.encoded().withUnsafeBytes { try writer.append(.partsLeaf, $0) }
        let root = PartsRoot(
            pointer: pointer, digest: PartsNode.digest(parts), level: 0, count: UInt64(parts.count),
            bytes: parts.reduce(0) { $0 + UInt64($1.length) })
        parts.removeAll(keepingCapacity: true)
        try push(root, level: 0)
    }

    private mutating func push(_ child: PartsRoot, level: Int) throws {
        if levels.count <= level { levels.append([]) }
        levels[level].append(child)
        if PartsNode.cuts(child.digest, count: levels[level].count) { try emitInner(level) }
    }

    private mutating func emitInner(_ level: Int) throws {
        let children = levels[level]
        levels[level].removeAll(keepingCapacity: true)
        let pointer = try PartsNode.inner(children).encoded().withUnsafeBytes { try writer.append(.partsInner, $0) }
        let root = PartsRoot(
            pointer: pointer, digest: PartsNode.digest(children), level: UInt8(level + 1),
            count: children.reduce(0) { $0 + $1.count }, bytes: children.reduce(0) { $0 + $1.bytes })
        try push(root, level: level + 1)
    }

    /// The list as it stands; writes its open nodes. The builder is used up.
    mutating func finish() throws -> PartList {
        if count <= PartList.inlineLimit { return .inline(parts) }
        if !parts.isEmpty { try emitLeaf() }
        var level = 0
        while true {
            let isTop = levels[(level + 1)...].allSatisfy(\.isEmpty)
            if isTop, levels[level].count == 1 { return .tree(levels[level][0]) }
            if !levels[level].isEmpty { try emitInner(level) }
            level += 1
        }
    }
}

/// Walks the parts of a list in order, from any byte.
struct PartsCursor {
    private let slots: SlotStore
    private var stack: [(children: [PartsRoot], next: Int)] = []
    private var parts: [Part]
    private var next = 0

    /// Starts at the part that holds byte `offset`; ``position`` is that part's first byte.
    private(set) var position: UInt64 = 0

    init(_ list: PartList, from offset: UInt64, slots: SlotStore) throws {
        self.slots = slots
        switch list {
        case .inline(let parts): self.parts = parts
        case .tree(var root):
            parts = []
            descend: while true {
                switch try PartsNode.load(root.pointer, slots) {
                case .leaf(let found):
                    parts = found
                    break descend
                case .inner(let children):
                    var index = 0
                    while index + 1 < children.count, position + children[index].bytes <= offset {
                        position += children[index].bytes
                        index += 1
                    }
                    guard index < children.count else { throw ByteReader.damaged }
                    stack.append((children, index + 1))
                    root = children[index]
                }
            }
        }
        while next < parts.count, position + UInt64(parts[next].length) <= offset {
            position += UInt64(parts[next].length)
            next += 1
        }
    }

    mutating func nextPart() throws -> Part? {
        while next >= parts.count {
            guard var top = stack.popLast() else { return nil }
            guard top.next < top.children.count else { continue }
            let child = top.children[top.next]
            top.next += 1
            stack.append(top)
            switch try PartsNode.load(child.pointer, slots) {
            case .leaf(let found): (parts, next) = (found, 0)
            case .inner(let children): stack.append((children, 0))
            }
        }
        defer { next += 1 }
        return parts[next]
    }
}
