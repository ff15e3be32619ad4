import Core
import Versioning

/// Makes, changes and removes pipelines, and tells of them. What one call changes in the catalog and in history is
/// changed in one transaction; running the code is the supervisor's business, which is told of each change.
package final class PipelineManager: Sendable {
    let history: History
    /// Tells whoever runs the code that a pipeline was changed; to be called once the change is durable.
    package let changed: @Sendable (PipelineKey) -> Void

    /// `changed` is called after each change of a pipeline that is durable.
    package init(history: History, changed: @escaping @Sendable (PipelineKey) -> Void) {
        self.history = history
        self.changed = changed
    }

    /// A launch's token opens its own repo and nothing else.
    func refuseLaunches(_ principal: Principal, _ what: String) throws(SpileError) {
        if case .launch(let key, _) = principal {
            throw Principal.refusal(of: key, what, remedy: "a launch's token writes its own output repo only")
        }
    }

    static func missing(_ key: PipelineKey) -> SpileError { .notFound("pipeline \"\(key)\" not found") }
}

/// What a caller wants created (`pps.md` §1.3).
package struct PipelineRequest: Sendable {
    /// The spec as the caller wrote it, JSON or YAML.
    package var spec: String
    package var update: Bool
    /// Begin anew instead of going on: a new salt.
    package var reprocess: Bool
    /// Check and merge only.
    package var dryRun: Bool
    /// The effective spec, where it is settled already: defaults are not merged into it again.
    package var effective: String?

    package init(
        spec: String, update: Bool = false, reprocess: Bool = false, dryRun: Bool = false, effective: String? = nil
    ) {
        self.spec = spec
        self.effective = effective
        self.update = update
        self.reprocess = reprocess
        self.dryRun = dryRun
    }
}
