/// Defaults of specs as somebody set them (`pps.md` §15): `{"createPipelineRequest": {…}}`, checked against the schema.
package struct DefaultsDocument: Sendable, Equatable {
    /// Whose defaults.
    package enum Scope: String, Sendable {
        case cluster, project

        fileprivate var message: String { self == .cluster ? "ClusterDefaults" : "ProjectDefaults" }
        /// The request's field that holds them.
        package var field: String { "\(self)_defaults_json" }
    }

    /// What specs start from, in canonical form; an empty object where the document names none.
    package var request: JSONValue

    private static let member = (name: "create_pipeline_request", jsonName: "createPipelineRequest")

    /// Throws `invalidArgument`, with the request's field as detail, whose text names line, field and remedy of every
    /// fault.
    package static func read(_ text: String, of scope: Scope) throws(SpileError) -> DefaultsDocument {
        do throws(SpileError) {
            return DefaultsDocument(request: try request(text, of: scope))
        } catch {
            throw error.asFault(of: scope, "invalid \(scope) defaults JSON")
        }
    }

    private static func request(_ text: String, of scope: Scope) throws(SpileError) -> JSONValue {
        let root: SpecNode
        do { root = try JSONText.read(text) } catch { throw .invalid("\(error)") }
        guard case .object(let members) = root.content else {
            throw .invalid("line \(root.line): expected an object, found \(root.kind)")
        }
        var result: JSONValue?
        for item in members where item.name != "$schema" {
            guard item.name == member.name || item.name == member.jsonName else {
                throw .invalid(
                    "line \(item.line): unexpected field \"\(item.name)\" in pps_v2.\(scope.message)",
                    remedy: "the one field here is \(member.jsonName)")
            }
            if result != nil { throw .invalid("line \(item.line): \(item.name) is given more than once") }
            if case .null = item.value.content {
                result = .object([])
                continue
            }
            var reader = SpecReader()
            result = reader.message(SpecSchema.request, item.value, at: item.name)
            if !reader.problems.isEmpty {
                throw .invalid(reader.problems.map(\.description).joined(separator: "; "))
            }
        }
        return result ?? .object([])
    }
}

extension SpileError {
    /// The same failure, as the fault of the request's field that holds defaults.
    package func asFault(of scope: DefaultsDocument.Scope, _ outer: String) -> SpileError {
        let error = wrapped(outer)
        return SpileError(.invalidArgument, error.message, remedy: remedy, cause: cause)
            .with(.field(scope.field, description: error.message))
    }
}

extension JSONValue {
    /// Whether two values say the same, whatever the order of their members.
    package func says(sameAs other: JSONValue) -> Bool {
        switch (self, other) {
        case (.object(let mine), .object(let theirs)):
            mine.count == theirs.count
                && mine.allSatisfy { member in other[member.name].map { member.value.says(sameAs: $0) } ?? false }
        case (.array(let mine), .array(let theirs)):
            mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.says(sameAs: $1) }
        default: self == other
        }
    }
}
