import Core

/// How far a copy of the segments has come.
package struct SegmentCopyProgress: Sendable, Equatable {
    package var segmentsDone = 0
    package var segmentsTotal = 0
    package var bytesCopied = 0
    package var bytesShared = 0
}

extension Store {
    /// Puts every segment there is into `folder`: sealed ones as they are, of each open one what has been appended so
    /// far, which the next start of a store gives an end. Everything that was durable when this was called is in it.
    ///
    /// The caller holds an ``Activity`` begun before the catalog was copied. A segment that compaction writes anew
    /// meanwhile is taken in either form: it takes a new object, and both hold every slot that this copy can need. A
    /// segment that is removed meanwhile holds none.
    package func copySegments(
        to folder: any SnapshotFolder, _ report: (SegmentCopyProgress) throws -> Void
    ) throws -> SegmentCopyProgress {
        let (sealed, open) = slots.allSegments
        var progress = SegmentCopyProgress(segmentsTotal: sealed.count + open.count)
        for segment in open {
            let bytes = try Self.copy(segment, to: folder)
            progress.bytesCopied += bytes
            progress.segmentsDone += 1
            try report(progress)
        }
        for id in sealed.sorted() {
            if let part = try folder.take(SegmentFormat.name(id, sealed: true)) {
                if part.isShared { progress.bytesShared += part.bytes } else { progress.bytesCopied += part.bytes }
            }
            progress.segmentsDone += 1
            try report(progress)
        }
        return progress
    }

    private static let copySize = 1 << 20

    private static func copy(_ segment: OpenSegment, to folder: any SnapshotFolder) throws -> Int {
        guard let last = segment.state.withLock({ $0.records.last }) else { return 0 }
        let end = Int(last.offset) + Int(last.length)
        var position = 0
        return try folder.write(SegmentFormat.name(segment.id, sealed: false)) {
            guard position < end else { return nil }
            let count = min(copySize, end - position)
            defer { position += count }
            return try [UInt8](reading: count) { try segment.read(into: $0, at: position) }
        }
    }
}
