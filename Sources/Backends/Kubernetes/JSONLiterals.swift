import Core

/// JSON written as such in code: manifests read as what they become.
extension JSONValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number("\(value)") }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONMember($0, $1) })
    }

    /// An object of the members that are there: nil ones are left out.
    package static func present(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(members.compactMap { name, value in value.map { JSONMember(name, $0) } })
    }

    /// An object of texts, in the order of their names; nil for none.
    static func texts(_ map: [String: String]) -> JSONValue? {
        map.isEmpty ? nil : .object(map.sorted { $0.key < $1.key }.map { JSONMember($0.key, .string($0.value)) })
    }

    /// Nil for an empty list, which is left out.
    static func list(_ elements: [JSONValue]) -> JSONValue? { elements.isEmpty ? nil : .array(elements) }

    static func integer(_ number: some BinaryInteger) -> JSONValue { .number("\(number)") }

    /// The value at a path of members; nil where one is missing.
    func at(_ names: String...) -> JSONValue? {
        names.reduce(self as JSONValue?) { value, name in value?[name] }
    }
}
