/// A pipeline spec as a user wrote it, checked against the schema, in canonical form.
package struct SpecDocument: Sendable, Equatable {
    /// Canonical proto JSON: camelCase names, enum values by name, nulls kept.
    package var json: JSONValue

    /// All specs of a text in JSON or YAML: several documents, each a spec or a list of specs.
    ///
    /// Throws `invalidArgument` whose text names line, field and remedy of every fault found.
    package static func readAll(_ text: String) throws(SpileError) -> [SpecDocument] {
        let roots = try nodes(text)
        var specs: [SpecNode] = []
        for root in roots {
            switch root.content {
            case .array(let elements): specs += elements
            case .null: continue
            default: specs.append(root)
            }
        }
        var documents: [SpecDocument] = []
        for spec in specs { documents.append(try check(spec)) }
        return documents
    }

    /// The one spec of a text in JSON or YAML.
    package static func read(_ text: String) throws(SpileError) -> SpecDocument {
        let roots = try nodes(text)
        guard roots.count == 1, let root = roots.first else {
            throw .invalid("expected one pipeline spec, found \(roots.count)")
        }
        return try check(root)
    }

    private static func nodes(_ text: String) throws(SpileError) -> [SpecNode] {
        let first = text.first { !$0.isWhitespace }
        do throws(SpecSyntaxError) {
            guard first == "{" || first == "[" else { return try YAMLText.documents(text) }
            do throws(SpecSyntaxError) {
                return [try JSONText.read(text)]
            } catch let jsonError {
                // Flow-style YAML begins like JSON; text that is neither is reported as JSON.
                guard let roots = try? YAMLText.documents(text) else { throw jsonError }
                return roots
            }
        } catch {
            throw .invalid("malformed pipeline spec: \(error)")
        }
    }

    private static func check(_ node: SpecNode) throws(SpileError) -> SpecDocument {
        var reader = SpecReader()
        let json = reader.message(SpecSchema.request, node, at: "")
        guard reader.problems.isEmpty else {
            throw .invalid("malformed pipeline spec: " + reader.problems.map(\.description).joined(separator: "; "))
        }
        return SpecDocument(json: json)
    }

    /// The pipeline's name; nil where the spec has none.
    package var name: String? { json["pipeline"]?["name"]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    /// The project the spec names; nil where it names none.
    package var project: String? { json["pipeline"]?["project"]?["name"]?.string.flatMap { $0.isEmpty ? nil : $0 } }

    /// The same spec in a project, if it named none itself.
    package func placed(in project: String) -> SpecDocument {
        guard self.project == nil, json["pipeline"] != nil else { return self }
        let patch = JSONValue.object([
            JSONMember("pipeline", .object([JSONMember("project", .object([JSONMember("name", .string(project))]))]))
        ])
        return SpecDocument(json: json.merged(with: patch))
    }
}

extension JSONValue {
    /// RFC 7396: members of `patch` replace ours, objects merge, arrays replace wholesale, null deletes.
    package func merged(with patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var result = members
        for change in changes {
            let index = result.firstIndex { $0.name == change.name }
            if change.value == .null {
                if let index { result.remove(at: index) }
            } else if let index {
                result[index].value = result[index].value.merged(with: change.value)
            } else {
                result.append(JSONMember(change.name, JSONValue.null.merged(with: change.value)))
            }
        }
        return .object(result)
    }
}

/// What a pipeline gets where its spec says nothing (`pps.md` §1.4).
package enum SpecDefaults {
    package static let image = "ubuntu:20.04"
    package static let outputBranch = "master"
    package static let builtIn = JSONValue.object([
        JSONMember("datumTries", .number("3")),
        JSONMember("outputBranch", .string(outputBranch)),
        JSONMember("reprocessSpec", .string("until_success")),
        JSONMember("transform", .object([JSONMember("image", .string(image))])),
    ])

    /// The spec in force: built-in defaults, then each layer in turn.
    package static func effective(_ layers: JSONValue...) -> JSONValue {
        layers.reduce(builtIn) { $0.merged(with: $1) }
    }
}

extension SpecDocument {
    /// Any JSON text as a value; nothing is checked beyond its grammar.
    package static func plainJSON(_ text: String) throws(SpecSyntaxError) -> JSONValue {
        JSONValue(try JSONText.read(text))
    }

    /// The one document of any YAML text as a value; nothing is checked beyond its grammar.
    package static func plainYAML(_ text: String) throws(SpecSyntaxError) -> JSONValue {
        let roots = try YAMLText.documents(text)
        guard roots.count == 1 else {
            throw SpecSyntaxError(line: 1, message: "expected one document, found \(roots.count)")
        }
        return JSONValue(roots[0])
    }
}

extension JSONValue {
    init(_ node: SpecNode) {
        switch node.content {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .number(let text): self = .number(text)
        case .string(let text): self = .string(text)
        case .array(let nodes): self = .array(nodes.map(JSONValue.init))
        case .object(let members): self = .object(members.map { JSONMember($0.name, JSONValue($0.value)) })
        }
    }
}
