import Core

/// Changes of a JSON value, one after the other (RFC 6902). `pod_patch` is one (`pps.md` §5.2).
struct JSONPatch {
    enum Change: Equatable {
        case add(JSONValue)
        case remove
        case replace(JSONValue)
        case move(from: JSONPointer)
        case copy(from: JSONPointer)
        case test(JSONValue)
    }

    struct Operation: Equatable {
        var change: Change
        var path: JSONPointer

        var name: String {
            switch change {
            case .add: "add"
            case .remove: "remove"
            case .replace: "replace"
            case .move: "move"
            case .copy: "copy"
            case .test: "test"
            }
        }
    }

    static let mostOperations = 1000
    /// Values that all copies together may make: each could double what is there.
    static let mostCopied = 100_000

    let operations: [Operation]

    /// Reads a list of operations. Throws `invalidArgument` that names the one that is wrong, counted from 1.
    init(_ json: JSONValue) throws(SpileError) {
        guard case .array(let elements) = json else { throw .invalid("a JSON patch is a list of operations") }
        if elements.count > Self.mostOperations {
            throw .invalid("a JSON patch has at most \(Self.mostOperations) operations, not \(elements.count)")
        }
        var operations: [Operation] = []
        for (index, element) in elements.enumerated() {
            do throws(JSONPatchFault) { operations.append(try Self.operation(element)) } catch {
                throw .invalid("operation \(index + 1): \(error.text)")
            }
        }
        self.operations = operations
    }

    private static func operation(_ json: JSONValue) throws(JSONPatchFault) -> Operation {
        func pointer(_ name: String) throws(JSONPatchFault) -> JSONPointer {
            guard let text = json[name]?.string else { throw JSONPatchFault("it has no \"\(name)\"") }
            return try JSONPointer(text)
        }
        func value() throws(JSONPatchFault) -> JSONValue {
            guard let value = json["value"] else { throw JSONPatchFault("it has no \"value\"") }
            return value
        }
        let name = json["op"]?.string ?? ""
        let change: Change =
            switch name {
            case "add": .add(try value())
            case "remove": .remove
            case "replace": .replace(try value())
            case "move": .move(from: try pointer("from"))
            case "copy": .copy(from: try pointer("from"))
            case "test": .test(try value())
            default: throw JSONPatchFault("\"op\" is \"\(name)\": use add, remove, replace, move, copy or test")
            }
        return Operation(change: change, path: try pointer("path"))
    }

    /// The value with all changes, or with none: throws `invalidArgument` that names the operation that could not be.
    func apply(to value: JSONValue) throws(SpileError) -> JSONValue {
        var (result, copied) = (value, 0)
        for (index, operation) in operations.enumerated() {
            do throws(JSONPatchFault) { result = try Self.apply(operation, to: result, &copied) } catch {
                throw .invalid("operation \(index + 1) (\(operation.name) \(operation.path)): \(error.text)")
            }
        }
        return result
    }

    private static func apply(
        _ operation: Operation, to value: JSONValue, _ copied: inout Int
    ) throws(JSONPatchFault) -> JSONValue {
        let path = operation.path.names[...]
        switch operation.change {
        case .add(let new): return try value.adding(new, at: path)
        case .remove: return try value.removing(path)
        case .replace(let new): return try value.replacing(path, by: new)
        case .move(let from):
            let moved = try value.find(from.names[...])
            if from == operation.path { return value }
            if path.starts(with: from.names) { throw JSONPatchFault("\(from) cannot be moved into itself") }
            return try value.removing(from.names[...]).adding(moved, at: path)
        case .copy(let from):
            let copy = try value.find(from.names[...])
            copied += copy.count
            if copied > mostCopied { throw JSONPatchFault("the patch copies more than \(mostCopied) values") }
            return try value.adding(copy, at: path)
        case .test(let wanted):
            let found = try value.find(path)
            guard found.isEqual(to: wanted) else { throw JSONPatchFault("there is \(found.brief) instead") }
            return value
        }
    }
}

/// Why an operation cannot be.
struct JSONPatchFault: Error {
    let text: String
    init(_ text: String) { self.text = text }
}

/// A place in a JSON value (RFC 6901): `/a/0/b`, empty for the whole.
struct JSONPointer: Equatable, CustomStringConvertible {
    let names: [String]

    init(_ text: String) throws(JSONPatchFault) {
        if text.isEmpty {
            names = []
            return
        }
        guard text.hasPrefix("/") else { throw JSONPatchFault("\"\(text)\" is no JSON pointer: it begins with no /") }
        var names: [String] = []
        for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            names.append(try Self.unescaped(part, in: text))
        }
        self.names = names
    }

    private static func unescaped(_ part: Substring, in text: String) throws(JSONPatchFault) -> String {
        var (result, isEscape) = ("", false)
        for scalar in part.unicodeScalars {
            switch (isEscape, scalar) {
            case (true, "0"): result += "~"
            case (true, "1"): result += "/"
            case (true, _): throw JSONPatchFault("\"\(text)\" is no JSON pointer: write ~0 for ~ and ~1 for /")
            case (false, "~"): break
            default: result.unicodeScalars.append(scalar)
            }
            isEscape = !isEscape && scalar == "~"
        }
        if isEscape { throw JSONPatchFault("\"\(text)\" is no JSON pointer: write ~0 for ~ and ~1 for /") }
        return result
    }

    var description: String {
        names.map { name in
            "/"
                + name.split(separator: "~", omittingEmptySubsequences: false).joined(separator: "~0")
                .split(separator: "/", omittingEmptySubsequences: false).joined(separator: "~1")
        }.joined()
    }
}

extension JSONValue {
    /// A place in a list: digits without a leading zero, below `end`.
    private static func position(_ name: String, below end: Int) throws(JSONPatchFault) -> Int {
        guard name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let index = Int(name),
            name == "0" || !name.hasPrefix("0")
        else { throw JSONPatchFault("\"\(name)\" is no place in a list") }
        guard index < end else { throw JSONPatchFault("the list has no place \(index)") }
        return index
    }

    fileprivate func find(_ path: ArraySlice<String>) throws(JSONPatchFault) -> JSONValue {
        guard let name = path.first else { return self }
        return try child(name).find(path.dropFirst())
    }

    private func child(_ name: String) throws(JSONPatchFault) -> JSONValue {
        switch self {
        case .array(let elements): return elements[try Self.position(name, below: elements.count)]
        default:
            guard let value = self[name] else { throw JSONPatchFault("there is no \"\(name)\"") }
            return value
        }
    }

    /// The same with the child `name` changed, which has to be there.
    private func changing(
        _ name: String, _ change: (JSONValue) throws(JSONPatchFault) -> JSONValue
    ) throws(JSONPatchFault) -> JSONValue {
        let changed = try change(try child(name))
        switch self {
        case .array(var elements):
            elements[try Self.position(name, below: elements.count)] = changed
            return .array(elements)
        default:
            return .object(members.map { $0.name == name ? JSONMember(name, changed) : $0 })
        }
    }

    fileprivate func adding(_ new: JSONValue, at path: ArraySlice<String>) throws(JSONPatchFault) -> JSONValue {
        guard let name = path.first else { return new }
        if path.count > 1 {
            return try changing(name) { child throws(JSONPatchFault) in try child.adding(new, at: path.dropFirst()) }
        }
        switch self {
        case .array(var elements):
            let end = elements.count
            elements.insert(new, at: name == "-" ? end : try Self.position(name, below: end + 1))
            return .array(elements)
        case .object(let members):
            if self[name] != nil { return try changing(name) { _ throws(JSONPatchFault) in new } }
            return .object(members + [JSONMember(name, new)])
        default: throw JSONPatchFault("there is neither an object nor a list to add to")
        }
    }

    fileprivate func removing(_ path: ArraySlice<String>) throws(JSONPatchFault) -> JSONValue {
        guard let name = path.first else { return .null }
        if path.count > 1 {
            return try changing(name) { child throws(JSONPatchFault) in try child.removing(path.dropFirst()) }
        }
        _ = try child(name)
        switch self {
        case .array(var elements):
            elements.remove(at: try Self.position(name, below: elements.count))
            return .array(elements)
        default: return .object(members.filter { $0.name != name })
        }
    }

    fileprivate func replacing(
        _ path: ArraySlice<String>, by new: JSONValue
    ) throws(JSONPatchFault) -> JSONValue {
        guard let name = path.first else { return new }
        return try changing(name) { child throws(JSONPatchFault) in try child.replacing(path.dropFirst(), by: new) }
    }

    /// Values in it, itself included.
    fileprivate var count: Int {
        switch self {
        case .array(let elements): elements.reduce(1) { $0 + $1.count }
        case .object(let members): members.reduce(1) { $0 + $1.value.count }
        default: 1
        }
    }

    /// Whether both are the same value: members in any order, numbers by what they amount to.
    fileprivate func isEqual(to other: JSONValue) -> Bool {
        switch (self, other) {
        case (.number(let mine), .number(let theirs)): mine == theirs || Double(mine) == Double(theirs)
        case (.array(let mine), .array(let theirs)):
            mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0.isEqual(to: $1) }
        case (.object(let mine), .object(let theirs)):
            mine.count == theirs.count
                && mine.allSatisfy { member in other[member.name].map(member.value.isEqual) ?? false }
        default: self == other
        }
    }

    fileprivate var brief: String {
        let text = text
        return text.count > 80 ? String(text.prefix(80)) + "…" : text
    }
}
