import Core

extension Store {
    /// A check of one tree; see ``TreeCheck``. `seen` is shared by the checks of one run.
    package func check(_ root: Root, data: Bool, seen: VerifiedNodes) -> TreeCheck {
        TreeCheck(root, data: data, nodes: seen, store: self)
    }

    /// Checks a whole tree and reports each finding. Throws only where the store does not answer.
    package func verify(
        _ root: Root, data: Bool, seen: inout VerifiedNodes, report: (Finding) -> Void
    ) throws {
        var check = check(root, data: data, seen: seen)
        while let finding = try check.next() { report(finding) }
    }

    /// The ids of the sealed segments, for ``problem(ofSegment:)``.
    package var segmentIDs: [UInt64] { slots.sealedSegments.keys.sorted() }

    /// What is wrong with a sealed segment as a whole, its directory or its footer, read afresh from the disk; nil if
    /// nothing is. Throws where the store does not answer.
    package func problem(ofSegment id: UInt64) throws -> String? { try slots.problem(ofSegment: id) }
}
