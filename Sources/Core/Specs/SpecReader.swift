/// Checks a spec's nodes against the schema and makes the canonical form: camelCase names, enum values by name, `null`
/// kept (it deletes a default, `pps.md` §15).
struct SpecReader {
    private(set) var problems: [SpecProblem] = []
    private let schema = SpecSchema.pipelines

    private static let mostProblems = 20

    private mutating func report(_ path: String, _ line: Int, _ text: String, remedy: String = "") {
        guard problems.count < Self.mostProblems else { return }
        problems.append(SpecProblem(path: path, line: line, text: text, remedy: remedy))
    }

    mutating func message(_ type: String, _ node: SpecNode, at path: String) -> JSONValue {
        guard case .object(let members) = node.content else {
            report(path, node.line, "expected an object, found \(node.kind)")
            return .null
        }
        let fields = schema.messages[type] ?? []
        var result: [JSONMember] = []
        var chosen: [String: String] = [:]
        for member in members where member.name != "$schema" {
            let inside = path.isEmpty ? member.name : "\(path).\(member.name)"
            guard let field = fields.first(where: { $0.name == member.name || $0.jsonName == member.name }) else {
                reportUnknown(member, type: type, fields: fields, at: inside)
                continue
            }
            if result.contains(where: { $0.name == field.jsonName }) {
                report(inside, member.line, "duplicate field: \(field.name) is given more than once")
                continue
            }
            let value = self.field(field, member.value, at: inside)
            if let choice = field.choice, value != .null {
                if let other = chosen[choice] {
                    report(inside, member.line, "cannot stand beside \(other)", remedy: "keep one of the two")
                }
                chosen[choice] = field.name
            }
            result.append(JSONMember(field.jsonName, value))
        }
        return .object(result)
    }

    private mutating func reportUnknown(
        _ member: SpecNode.Member, type: String, fields: [SpecSchema.Field], at path: String
    ) {
        if let text = schema.retired[type]?[member.name] {
            report(path, member.line, "unknown field \"\(member.name)\": \(text)")
            return
        }
        let nearest = fields.map { ($0.name, Nearness.distance(member.name, $0.name)) }.min { $0.1 < $1.1 }
        var remedy = "fields here are \(fields.map(\.name).sorted().joined(separator: ", "))"
        if let (name, distance) = nearest, distance <= max(2, name.count / 3) { remedy = "did you mean \(name)?" }
        report(path, member.line, "unknown field \"\(member.name)\"", remedy: remedy)
    }

    private mutating func field(_ field: SpecSchema.Field, _ node: SpecNode, at path: String) -> JSONValue {
        if case .null = node.content { return .null }
        switch field.shape {
        case .single: return single(field.type, node, at: path)
        case .list:
            guard case .array(let nodes) = node.content else {
                report(path, node.line, "expected a list, found \(node.kind)", remedy: "write [ … ] around it")
                return .null
            }
            var values: [JSONValue] = []
            for (index, element) in nodes.enumerated() {
                values.append(single(field.type, element, at: "\(path)[\(index)]"))
            }
            return .array(values)
        case .map:
            guard case .object(let members) = node.content else {
                report(path, node.line, "expected an object of names and values, found \(node.kind)")
                return .null
            }
            var values: [JSONMember] = []
            for member in members {
                let inside = "\(path).\(member.name)"
                if values.contains(where: { $0.name == member.name }) {
                    report(inside, member.line, "\(member.name) is given more than once")
                }
                if case .null = member.value.content {
                    values.append(JSONMember(member.name, .null))
                } else {
                    values.append(JSONMember(member.name, single(field.type, member.value, at: inside)))
                }
            }
            return .object(values)
        }
    }

    private mutating func single(_ type: String, _ node: SpecNode, at path: String) -> JSONValue {
        if schema.messages[type] != nil { return message(type, node, at: path) }
        if let names = schema.enums[type] { return enumeration(names, node, at: path) }
        switch (type, node.content) {
        case ("string", .string(let text)): return .string(text)
        case ("bool", .bool(let value)): return .bool(value)
        case ("int32", _), ("int64", _), ("uint64", _): return integer(type, node, at: path)
        case ("float", .number(let text)): return .number(text)
        case ("float", .string(let text)) where JSONNumber.isValid(text): return .number(text)
        case ("duration", .string(let text)) where SpecDuration(text) != nil: return .string(text)
        case ("timestamp", .string(let text)) where SpecTimestamp.parse(text) != nil: return .string(text)
        default:
            let (expected, remedy) = Self.expectation(type, found: node)
            report(path, node.line, "expected \(expected), found \(node.kind)", remedy: remedy)
            return .null
        }
    }

    private static func expectation(_ type: String, found node: SpecNode) -> (String, String) {
        switch type {
        case "string":
            if case .number(let text) = node.content { return ("a string", "write it in quotes: \"\(text)\"") }
            if case .bool(let value) = node.content { return ("a string", "write it in quotes: \"\(value)\"") }
            return ("a string", "")
        case "bool": return ("true or false", "write it without quotes")
        case "float": return ("a number", "write it without quotes or unit")
        case "duration": return ("a duration in seconds", "write it as \"600s\" or \"1.5s\"")
        case "timestamp": return ("a time of RFC 3339", "write it as \"2024-01-31T12:00:00Z\"")
        default: return (type, "")
        }
    }

    private mutating func integer(_ type: String, _ node: SpecNode, at path: String) -> JSONValue {
        let text: String
        switch node.content {
        case .number(let digits), .string(let digits): text = digits
        default:
            report(path, node.line, "expected a whole number, found \(node.kind)")
            return .null
        }
        let canonical: String? =
            switch type {
            case "int32": Int32(text).map { "\($0)" } ?? Double(text).flatMap(Int32.init(exactly:)).map { "\($0)" }
            case "uint64": UInt64(text).map { "\($0)" } ?? Double(text).flatMap(UInt64.init(exactly:)).map { "\($0)" }
            default: Int64(text).map { "\($0)" } ?? Double(text).flatMap(Int64.init(exactly:)).map { "\($0)" }
            }
        guard let canonical else {
            let range = type == "uint64" ? "from 0 up" : "of \(type == "int32" ? 32 : 64) bits"
            report(path, node.line, "expected a whole number \(range), found \(text)")
            return .null
        }
        return .number(canonical)
    }

    private mutating func enumeration(_ names: [String], _ node: SpecNode, at path: String) -> JSONValue {
        switch node.content {
        case .string(let name) where names.contains(name): return .string(name)
        case .number(let text):
            if let number = Int(text), names.indices.contains(number) { return .string(names[number]) }
        default: break
        }
        report(path, node.line, "expected one of \(names.joined(separator: ", "))")
        return .null
    }
}

/// One thing that is wrong with a spec: where, what, and what to write instead.
package struct SpecProblem: Sendable, Equatable, CustomStringConvertible {
    /// Such as `transform.cmd[1]`; empty for the whole document.
    package var path: String
    /// Counted from 1.
    package var line: Int
    package var text: String
    package var remedy: String

    package var description: String {
        "line \(line): " + (path.isEmpty ? "" : "\(path): ") + text + (remedy.isEmpty ? "" : " (\(remedy))")
    }
}

/// How many single-character edits apart two names are.
enum Nearness {
    static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.lowercased().utf8.prefix(64))
        let b = Array(b.lowercased().utf8.prefix(64))
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(diagonal + (x == y ? 0 : 1), above + 1, row[j] + 1)
                diagonal = above
            }
        }
        return row[b.count]
    }
}
