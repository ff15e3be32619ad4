/// Where a pipeline's output goes besides its repo (`pps.md` §10).
extension PipelineSpec {
    /// Below which each job's files are written; nil for nowhere. Egress of a spout has no effect (`pps.md` §3.1).
    ///
    /// Throws `unimplemented` for databases and for stores that are not offered, `invalidArgument` for what is no place
    /// in a store.
    package var egressURL: SourceURL? {
        get throws(SpileError) {
            guard kind != .spout, let egress = json["egress"] else { return nil }
            if egress["sqlDatabase"] != nil {
                throw SpileError(
                    .unimplemented, "egress to a database is not offered by this version of Spile",
                    remedy: "read the output repo and load it yourself, or let egress write to an object store")
            }
            guard let text = egress["URL"]?.string ?? egress["objectStorage"]?["url"]?.string, !text.isEmpty else {
                throw .invalid("egress has no target", remedy: "set egress.URL or egress.object_storage.url")
            }
            return try SourceURL(placeInStore: text)
        }
    }
}
