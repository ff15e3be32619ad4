import Core

/// The files that the datums of a node are made of: what a join or a group around it goes by.
extension DatumEvaluation {
    /// Each file that is in some datum of the node, once for each input that matches it, with the side on which it is.
    ///
    /// A product is not run through for that: if none of its factors is empty, all their files are in it.
    @discardableResult
    func eachFile(
        _ node: DatumNode, _ scope: Scope, _ body: (FilePair) async throws -> Bool
    ) async throws -> Bool {
        if scope == .changes, !mayChange(node) { return true }
        switch node {
        case .leaf(let input): return try await files(input, scope, body)
        case .union(let children), .group(let children):
            for child in children { guard try await eachFile(child, scope, body) else { return false } }
            return true
        case .cross(let children): return try await eachFileOfProduct(children, scope, body)
        case .join(let children):
            return try await eachEntry(children, { $0.input.joinKey(of: $0.path) }, scope) {
                try await eachFileJoined($0, scope, body)
            }
        }
    }

    private func eachFileOfProduct(
        _ children: [DatumNode], _ scope: Scope, _ body: (FilePair) async throws -> Bool
    ) async throws -> Bool {
        guard !children.isEmpty else { return true }
        var sides: [Side] = []
        for side in Side.allCases {
            var isThere = true
            for child in children where isThere { isThere = try await hasDatums(child, side) }
            if isThere { sides.append(side) }
        }
        if sides.count == 2 {
            for child in children { guard try await eachFile(child, scope, body) else { return false } }
            return true
        }
        // All of it came or went, or there is nothing.
        guard let side = sides.first, scope != .kept else { return true }
        for child in children {
            let goesOn = try await eachFile(child, .all) { pair in
                guard let pair = pair.only(side) else { return true }
                return try await body(pair)
            }
            guard goesOn else { return false }
        }
        return true
    }

    private func eachFileJoined(
        _ entry: KeyTable.Entry, _ scope: Scope, _ body: (FilePair) async throws -> Bool
    ) async throws -> Bool {
        func isWhole(_ side: Side) -> Bool { entry.allSatisfy { $0.contains { $0[side] != nil } } }
        let (isOldWhole, isNewWhole) = (isWhole(.old), isWhole(.new))
        for pair in entry.joined() {
            var pair = pair
            if !isOldWhole, !pair.input.leaf.isOuter { pair.old = nil }
            if !isNewWhole, !pair.input.leaf.isOuter { pair.new = nil }
            guard DatumPair([pair]).isIn(scope) else { continue }
            guard try await body(pair) else { return false }
        }
        return true
    }

    /// Whether a node has any datum on a side. Ends at the first; a join without outer inputs is gone through for it.
    private func hasDatums(_ node: DatumNode, _ side: Side) async throws -> Bool {
        if side == .old, changed == nil { return false }
        switch node {
        case .leaf, .join: return try await !eachFile(node, .all) { $0[side] == nil }
        case .union(let children), .group(let children):
            for child in children where try await hasDatums(child, side) { return true }
            return false
        case .cross(let children):
            for child in children { guard try await hasDatums(child, side) else { return false } }
            return !children.isEmpty
        }
    }
}
