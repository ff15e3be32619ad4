import Yams

/// Reads YAML text into nodes that know their line (`pps.md` §1.1).
enum YAMLText {
    /// One node per document of the text.
    static func documents(_ text: String) throws(SpecSyntaxError) -> [SpecNode] {
        do {
            let parser = try Parser(yaml: text)
            // The parser keeps anchors alive, which nodes only refer to weakly.
            return try withExtendedLifetime(parser) {
                var result: [SpecNode] = []
                while let node = try parser.nextRoot() { result.append(try convert(node)) }
                return result
            }
        } catch let error as SpecSyntaxError {
            throw error
        } catch let error as YamlError {
            throw explain(error)
        } catch {
            throw SpecSyntaxError(line: 1, message: "\(error)")
        }
    }

    private static func convert(_ node: Node) throws -> SpecNode {
        let line = node.mark?.line ?? 1
        if node.anchor != nil {
            throw SpecSyntaxError(line: line, message: "alias nodes not supported: write the value out in each place")
        }
        switch node {
        case .scalar(let scalar): return SpecNode(content: try resolve(scalar, line: line), line: line)
        case .sequence(let sequence): return SpecNode(content: .array(try sequence.map(convert)), line: line)
        case .mapping(let mapping):
            let members = try mapping.map { key, value in
                guard case .scalar(let name) = key else {
                    throw SpecSyntaxError(line: key.mark?.line ?? line, message: "a field name must be plain text")
                }
                return SpecNode.Member(name: name.string, line: key.mark?.line ?? line, value: try convert(value))
            }
            return SpecNode(content: .object(members), line: line)
        case .alias:
            throw SpecSyntaxError(line: line, message: "alias nodes not supported: write the value out in each place")
        }
    }

    /// What an unquoted scalar means: null, true or false in any case, a plain decimal number, or text.
    private static func resolve(_ scalar: Node.Scalar, line: Int) throws -> SpecNode.Content {
        let text = scalar.string
        guard scalar.style == .plain, scalar.tag.description != Tag.Name.str.rawValue else { return .string(text) }
        switch text.lowercased() {
        case "", "~", "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case ".inf", "+.inf", "-.inf", ".nan":
            throw SpecSyntaxError(line: line, message: "\(text) is not a number that a spec can hold")
        default: break
        }
        let padded = text.hasPrefix(".") ? "0" + text : text.hasPrefix("-.") ? "-0" + text.dropFirst() : text
        if JSONNumber.isValid(padded), padded == text || Double(padded) != nil { return .number(padded) }
        if looksLikeInteger(text) {
            throw SpecSyntaxError(
                line: line,
                message: "\(text) is not a plain decimal integer: write it so, or in quotes if text is meant")
        }
        return .string(text)
    }

    /// Whether YAML would read an integer where we take only plain decimal ones: hex, octal, binary, `+1`, `1_000`.
    private static func looksLikeInteger(_ text: String) -> Bool {
        var digits = text[...]
        if let sign = digits.first, sign == "+" || sign == "-" { digits = digits.dropFirst() }
        guard let first = digits.first, first.isASCII, first.isNumber else { return false }
        for (prefix, allowed) in [("0x", "0123456789abcdefABCDEF_"), ("0o", "01234567_"), ("0b", "01_")]
        where digits.hasPrefix(prefix) && digits.count > 2 {
            return digits.dropFirst(2).allSatisfy { allowed.contains($0) }
        }
        return digits.allSatisfy { "0123456789_".contains($0) }
    }

    private static func explain(_ error: YamlError) -> SpecSyntaxError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let around = context.map { " (\($0.text))" } ?? ""
            return SpecSyntaxError(line: mark.line, message: problem + around)
        case .duplicatedKeysInMapping(let names, let context):
            return SpecSyntaxError(
                line: context.mark.line, message: "field \(names.joined(separator: ", ")) is given more than once")
        case .reader(let problem, _, _, _): return SpecSyntaxError(line: 1, message: problem)
        default: return SpecSyntaxError(line: 1, message: "\(error)")
        }
    }
}
