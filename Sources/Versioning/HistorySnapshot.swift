import Core
import Storage

extension History {
    /// Copies a history that is in use: all of it as it was at one moment, with every commit that was acknowledged
    /// before this was called. Blocks; call it from a thread of its own. `report` may throw to give up.
    ///
    /// The order makes it whole (I1, I2): first the catalog, from one snapshot of it; then the segments, in which
    /// everything that the copied rows name was durable before. What is written meanwhile is in the copy as garbage.
    package func snapshot(
        to folder: any SnapshotFolder, _ report: (SegmentCopyProgress) throws -> Void = { _ in }
    ) throws -> SegmentCopyProgress {
        // Nothing that a row copied now names is collected while this lasts.
        let activity = store.beginWriting()
        defer { withExtendedLifetime(activity) {} }
        try catalog.copy(to: folder.catalogPath)
        let progress = try store.copySegments(to: folder, report)
        try folder.finish()
        return progress
    }
}
