import Yams

/// One pipeline spec as the user wrote it: its content as JSON, and the line each field stands on.
struct SpecDocument: Equatable, Sendable {
    var json: JSON
    /// Lines from 1, by the path of the field (`input.pfs.glob`, `input.cross[1].pfs`); the empty path is the spec.
    let lines: [String: Int]
    /// The file, or `stdin`.
    let source: String

    /// `file:line` of a field, or of the nearest field around it.
    func place(_ path: FieldPath) -> String {
        var path = path
        while true {
            if let line = lines[path.description] { return "\(source):\(line)" }
            if path.steps.isEmpty { return source }
            path.steps.removeLast()
        }
    }
}

/// Where a value stands in a document.
struct FieldPath: Hashable, Sendable, CustomStringConvertible {
    enum Step: Hashable, Sendable {
        case key(String)
        case index(Int)
    }
    var steps: [Step] = []

    func appending(_ step: Step) -> FieldPath { FieldPath(steps: steps + [step]) }

    var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .key(let key): text += text.isEmpty ? key : "." + key
            case .index(let index): text += "[\(index)]"
            }
        }
        return text
    }
}

/// Reads pipeline specs: JSON or YAML, several documents, lists of specs (`contract/pps.md` §1.1).
enum SpecReader {
    /// Every spec of a text, in order. Aliases are refused, integers must be plain decimal, `$schema` is dropped.
    static func read(_ text: String, source: String) throws -> [SpecDocument] {
        var roots: [Node] = []
        do {
            let parser = try Parser(yaml: text)
            while let root = try parser.nextRoot() { roots.append(root) }
        } catch let error as YamlError {
            throw problem(error, source)
        }
        var specs: [SpecDocument] = []
        for root in roots {
            switch root {
            case .sequence(let list): specs += try list.map { try document($0, source) }
            case .scalar(let scalar) where scalar.string.isEmpty || scalar.string == "null": continue
            default: specs.append(try document(root, source))
            }
        }
        if specs.isEmpty { throw Failure("\(source) holds no pipeline spec") }
        return specs
    }

    private static func document(_ node: Node, _ source: String) throws -> SpecDocument {
        guard case .mapping = node else {
            throw Failure(
                "\(source):\(node.mark?.line ?? 1): a pipeline spec is a mapping of fields, like \"pipeline:\"")
        }
        var conversion = Conversion(source: source)
        let json = try conversion.json(node, FieldPath())
        return SpecDocument(json: json, lines: conversion.lines, source: source)
    }

    /// The content of a node, without the rules that hold for specs only.
    static func plainJSON(_ node: Node) throws -> JSON {
        var conversion = Conversion(source: "the file")
        return try conversion.json(node, FieldPath())
    }

    private static func problem(_ error: YamlError, _ source: String) -> Failure {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return Failure("\(source):\(mark.line): this is neither YAML nor JSON: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "\"\($0)\"" }.joined(separator: ", ")
            return Failure("\(source):\(context.mark.line): the key \(keys) stands twice in one mapping")
        default:
            return Failure("\(source): \(error)")
        }
    }
}

/// One pass over a document's nodes.
private struct Conversion {
    let source: String
    var lines: [String: Int] = [:]
    /// Where values stand in the text: an alias brings the same place in twice.
    private var seen: Set<Int> = []

    init(source: String) { self.source = source }

    mutating func json(_ node: Node, _ path: FieldPath) throws -> JSON {
        let line = node.mark?.line ?? 1
        if lines[path.description] == nil { lines[path.description] = line }
        switch node {
        case .mapping(let mapping):
            var members: [JSON.Member] = []
            for (keyNode, value) in mapping {
                let key = keyNode.scalar?.string ?? ""
                if key == "<<" { throw alias(path, keyNode.mark?.line ?? line) }
                if key == "$schema" { continue }
                let inner = path.appending(.key(key))
                lines[inner.description] = keyNode.mark?.line ?? line
                members.append(JSON.Member(key: key, value: try json(value, inner)))
            }
            return .object(members)
        case .sequence(let sequence):
            return .array(
                try sequence.enumerated().map { try json($0.element, path.appending(.index($0.offset))) })
        case .scalar(let scalar):
            try noteOnce(scalar, path, line)
            return try value(scalar, path, line)
        case .alias:
            throw alias(path, line)
        }
    }

    private mutating func noteOnce(_ scalar: Node.Scalar, _ path: FieldPath, _ line: Int) throws {
        guard let mark = scalar.mark, !scalar.string.isEmpty else { return }
        if !seen.insert(mark.line << 20 | mark.column).inserted { throw alias(path, line) }
    }

    private func alias(_ path: FieldPath, _ line: Int) -> Failure {
        Failure("\(source):\(line): \(path): alias nodes not supported: write the value out instead of &name and *name")
    }

    private func value(_ scalar: Node.Scalar, _ path: FieldPath, _ line: Int) throws -> JSON {
        let text = scalar.string
        guard scalar.style == .plain || scalar.style == .any else { return .string(text) }
        switch text.lowercased() {
        case "", "~", "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default: break
        }
        if isPlainInteger(text) { return .number(text) }
        if looksLikeInteger(text) {
            throw Failure(
                "\(source):\(line): \(path): \"\(text)\" is not a plain decimal integer: "
                    + "write digits only, or put it in quotes if it is a text")
        }
        let number = text.hasPrefix(".") ? "0" + text : text
        return isJSONNumber(number) ? .number(number) : .string(text)
    }

    /// `0`, or digits that do not start with 0, perhaps after a minus.
    private func isPlainInteger(_ text: String) -> Bool {
        if text == "0" { return true }
        let digits = text.hasPrefix("-") ? text.dropFirst() : Substring(text)
        return digits.first != "0" && !digits.isEmpty && digits.allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// A number in one of YAML's other notations: signs, underscores, leading zeros, hexadecimal, octal, binary.
    private func looksLikeInteger(_ text: String) -> Bool {
        var digits = Substring(text.lowercased())
        if let sign = digits.first, sign == "-" || sign == "+" { digits = digits.dropFirst() }
        for (prefix, allowed) in [("0x", "0123456789abcdef_"), ("0o", "01234567_"), ("0b", "01_")]
        where digits.hasPrefix(prefix) {
            return digits.count > 2 && digits.dropFirst(2).allSatisfy(allowed.contains)
        }
        guard let first = digits.first, first.isASCII, first.isNumber else { return false }
        return digits.allSatisfy("0123456789_".contains)
    }
}
