import Core

/// Clears away what stores left that ended in the midst of something. It touches nothing that a living one still needs,
/// and may run beside it.
struct S3Cleaning {
    let base: S3Base

    func run(at now: Instant) throws {
        try removeRemnants()
        try abortForgotten(before: now.adding(seconds: -base.options.uploadSeconds))
    }

    /// What lies around without a beginning, or was finished already.
    private func removeRemnants() throws {
        var inventory = S3Inventory()
        try base.service.forEach(prefix: base.options.prefix + "open/") { inventory.add($0, base.names) }
        for (name, group) in inventory.open {
            let isOver = try !group.isBegun || group.ends.contains { try base.service.exists(base.names.object($0)) }
            if isOver { try base.remove(name, rest: group.rest) }
        }
    }

    /// Uploads in parts that nobody goes on with any more. A store without such a list clears them away by itself, or
    /// has none.
    private func abortForgotten(before limit: Instant) throws {
        // Of the same form as what the store writes: the first 19 characters, `2013-05-24T00:00:00`, compare as times.
        let last = SpecTimestamp.formatSeconds(limit).prefix(19)
        let pending: [S3PendingUpload]
        do {
            pending = try base.service.uploads(prefix: base.options.prefix)
        } catch let error as SpileError where error.code == .unimplemented {
            return
        }
        for upload in pending where !upload.begun.isEmpty && upload.begun.prefix(19) < last {
            try base.service.abort(upload.upload)
        }
    }
}
