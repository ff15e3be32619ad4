/// Writes one frame: a length of four bytes, a kind, a number, and fields.
struct FrameWriter {
    private var bytes: [UInt8] = [0, 0, 0, 0]

    mutating func begin(_ kind: UInt8, _ number: UInt32) {
        bytes.append(kind)
        put(number)
    }

    mutating func put(_ number: UInt32) { for shift in [0, 8, 16, 24] { bytes.append(UInt8(number >> shift & 0xff)) } }

    mutating func put(_ field: [UInt8]) {
        put(UInt32(field.count))
        bytes += field
    }

    mutating func put(_ list: [[UInt8]]) {
        put(UInt32(list.count))
        for field in list { put(field) }
    }

    mutating func finish() -> [UInt8] {
        let length = UInt32(bytes.count - 4)
        for index in 0..<4 { bytes[index] = UInt8(length >> (8 * UInt32(index)) & 0xff) }
        return bytes
    }
}

/// Reads the fields of a frame.
struct FrameFields {
    var rest: ArraySlice<UInt8>

    mutating func byte() -> UInt8? { rest.popFirst() }

    mutating func number() -> UInt32? {
        guard rest.count >= 4 else { return nil }
        defer { rest = rest.dropFirst(4) }
        return rest.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func bytes() -> [UInt8]? {
        guard let count = number(), rest.count >= Int(count) else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return Array(rest.prefix(Int(count)))
    }

    mutating func list() -> [[UInt8]]? {
        guard let count = number() else { return nil }
        var fields: [[UInt8]] = []
        for _ in 0..<count {
            guard let field = bytes() else { return nil }
            fields.append(field)
        }
        return fields
    }
}
