/// Defaults of specs as they were set (`pps.md` §15). They are kept among the catalog's settings: there are few, and
/// they are read with a pipeline's creation only.
package struct ProjectDefaultsRecord: Sendable, Equatable {
    /// Verbatim, as it was set.
    package var json: String
    package var createdAt: Instant
    package var createdBy: String

    package init(json: String, createdAt: Instant, createdBy: String) {
        self.json = json
        self.createdAt = createdAt
        self.createdBy = createdBy
    }
}

private let clusterSetting = "cluster_defaults"
private func projectSetting(_ project: ProjectKey) -> String { "project_defaults/\(project.name)" }

extension CatalogReader {
    /// The whole server's, verbatim; nil where none were set.
    package func clusterDefaults() throws -> String? { try setting(clusterSetting) }

    package func projectDefaults(_ project: ProjectKey) throws -> ProjectDefaultsRecord? {
        guard let text = try setting(projectSetting(project)) else { return nil }
        let fields: JSONValue
        do { fields = try SpecDocument.plainJSON(text) } catch {
            throw SpileError(.dataLoss, "defaults of project \(project) in the catalog cannot be read", cause: error)
        }
        return ProjectDefaultsRecord(
            json: fields["json"]?.string ?? "{}",
            createdAt: Instant(nanoseconds: fields["createdAt"]?.integer ?? 0),
            createdBy: fields["createdBy"]?.string ?? "")
    }
}

extension CatalogWriter {
    package func setClusterDefaults(_ json: String) throws { try setSetting(clusterSetting, to: json) }

    /// nil takes them away.
    package func setProjectDefaults(_ project: ProjectKey, to defaults: ProjectDefaultsRecord?) throws {
        let fields = defaults.map {
            JSONValue.object([
                JSONMember("json", .string($0.json)), JSONMember("createdAt", .string("\($0.createdAt.nanoseconds)")),
                JSONMember("createdBy", .string($0.createdBy)),
            ])
        }
        try setSetting(projectSetting(project), to: fields?.text)
    }
}
