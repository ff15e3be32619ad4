import Core

/// One evaluation of a tree: all datums now, or how they differ from those at a base.
///
/// Everything is handed on as it is found, and no product is held. In memory are the files that changed, the keys of a
/// join or group with their files (``KeyTable``), and ``bufferedFiles`` for each inner factor of a product. All walks
/// give false if `body` did, which ends them.
struct DatumEvaluation {
    let source: any DatumSource
    /// By input, the files that differ from the base, by path; nil without a base.
    let changed: [[FilePair]]?
    /// So many files of a factor that is walked again and again are kept rather than read again.
    let bufferedFiles: Int

    /// All datums of a node, those of a leaf by path and those of a product with the last factor running fastest.
    @discardableResult
    func each(
        _ node: DatumNode, _ scope: Scope, _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        if scope == .changes, !mayChange(node) { return true }
        switch node {
        case .leaf(let input): return try await files(input, scope) { try await body(DatumPair([$0])) }
        case .union(let children):
            for child in children { guard try await each(child, scope, body) else { return false } }
            return true
        case .cross(let children): return try await product(children.map(Factor.node), scope, body)
        case .join(let children):
            return try await eachEntry(children, { $0.input.joinKey(of: $0.path) }, scope) {
                try await joined($0, scope, body)
            }
        case .group(let children):
            return try await eachEntry(children, { $0.input.groupKey(of: $0.path) }, scope) {
                try await grouped($0, scope, body)
            }
        }
    }

    /// Whether a file below the node is not what it was. Looks at no file.
    func mayChange(_ node: DatumNode) -> Bool {
        guard let changed else { return true }
        switch node {
        case .leaf(let input): return !changed[input.index].isEmpty
        case .union(let children), .cross(let children), .join(let children), .group(let children):
            return children.contains(where: mayChange)
        }
    }

    // MARK: Files

    /// The files of an input, by path. Changes come from memory; the rest is one walk of the glob.
    func files(
        _ input: DatumInput, _ scope: Scope, _ body: (FilePair) async throws -> Bool
    ) async throws -> Bool {
        let changed = changed?[input.index]
        if let changed, scope == .changes {
            for pair in changed { guard try await body(pair) else { return false } }
            return true
        }
        if changed == nil, scope == .kept { return true }
        var rest = (changed ?? [])[...]
        var goesOn = true
        try await source.matches(of: input) { match in
            try Task.checkCancellation()
            while let next = rest.first, FilePath.precedes(next.path, match.path) {
                rest.removeFirst()
                if scope == .all { goesOn = try await body(next) }
                guard goesOn else { return false }
            }
            if let next = rest.first, next.path.utf8.elementsEqual(match.path.utf8) {
                rest.removeFirst()
                if scope == .all { goesOn = try await body(next) }
                return goesOn
            }
            let content = FilePair.Content(digest: match.digest, size: match.size)
            goesOn = try await body(
                FilePair(input: input, path: match.path, old: changed == nil ? nil : content, new: content))
            return goesOn
        }
        guard scope == .all, goesOn else { return goesOn }
        for pair in rest { guard try await body(pair) else { return false } }
        return true
    }

    // MARK: Products

    /// What a product runs over.
    enum Factor {
        case node(DatumNode)
        case list([DatumPair])
    }

    private func each(
        _ factor: Factor, _ scope: Scope, _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        switch factor {
        case .node(let node): return try await each(node, scope, body)
        case .list(let pairs):
            for pair in pairs where pair.isIn(scope) { guard try await body(pair) else { return false } }
            return true
        }
    }

    /// Combines each datum of a factor with each of the others. None if there is no factor.
    ///
    /// Changes are the combinations whose first changed part is that of the first factor, then of the second, and so
    /// on: none is looked at that did not change, except those of a datum that is new with one that is gone.
    func product(
        _ factors: [Factor], _ scope: Scope, _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        guard !factors.isEmpty else { return true }
        guard scope == .changes else {
            return try await combine(factors.map { ($0, scope) }, body)
        }
        for index in factors.indices {
            if case .node(let node) = factors[index], !mayChange(node) { continue }
            let scoped = factors.indices.map { other in
                (factors[other], other < index ? Scope.kept : other == index ? .changes : .all)
            }
            guard try await combine(scoped, body) else { return false }
        }
        return true
    }

    private func combine(
        _ factors: [(Factor, Scope)], _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        var factors = factors
        // From the end: an inner factor without datums ends it before an outer one is walked.
        for index in factors.indices.dropFirst().reversed() {
            guard let pairs = try await buffer(factors[index].0, factors[index].1) else { continue }
            if pairs.isEmpty { return true }
            factors[index].0 = .list(pairs)
        }
        return try await nest(factors[...], .empty, body)
    }

    private func nest(
        _ factors: ArraySlice<(Factor, Scope)>, _ outer: DatumPair, _ body: (DatumPair) async throws -> Bool
    ) async throws -> Bool {
        guard let (factor, scope) = factors.first else {
            try Task.checkCancellation()
            return try await body(outer)
        }
        return try await each(factor, scope) { pair in
            let combined = outer.appending(pair)
            guard combined.isAny else { return true }
            return try await nest(factors.dropFirst(), combined, body)
        }
    }

    /// A factor's datums, unless they have too many files.
    private func buffer(_ factor: Factor, _ scope: Scope) async throws -> [DatumPair]? {
        guard case .node = factor else { return nil }
        var pairs: [DatumPair] = []
        var room = bufferedFiles
        let isWhole = try await each(factor, scope) { pair in
            room -= pair.files.count
            pairs.append(pair)
            return room >= 0
        }
        return isWhole ? pairs : nil
    }
}
