/// What a tar stream holds, in order: an entry, then its bytes in pieces.
enum TarEvent: Equatable, Sendable {
    case file(name: String)
    case folder(name: String)
    case bytes(ArraySlice<UInt8>)
}

/// Reads a tar stream piece by piece: ustar with the two common ways to write long names (pax records and GNU headers).
/// Links and devices are skipped.
struct TarReader {
    private enum State {
        case header
        /// Bytes to pass on, bytes to drop after them.
        case body(Int, padding: Int)
        /// Bytes that belong to the next entry's name: collected so far, still to come.
        case extended(ExtensionKind, [UInt8], remaining: Int, padding: Int)
        case skip(Int)
    }
    private enum ExtensionKind { case pax, longName }

    private var state = State.header
    private var block: [UInt8] = []
    private var nextName: String?
    private var nextSize: Int?

    /// Whether the stream may end here: between entries.
    var isBetweenEntries: Bool { if case .header = state { block.isEmpty } else { false } }

    mutating func feed(_ chunk: ArraySlice<UInt8>) throws -> [TarEvent] {
        var events: [TarEvent] = []
        var rest = chunk
        while !rest.isEmpty {
            switch state {
            case .header:
                let part = rest.prefix(512 - block.count)
                block += part
                rest = rest.dropFirst(part.count)
                if block.count == 512 {
                    let header = block
                    block = []
                    try read(header, &events)
                }
            case .body(let count, let padding):
                let part = rest.prefix(count)
                rest = rest.dropFirst(part.count)
                if !part.isEmpty { events.append(.bytes(part)) }
                state = part.count < count ? .body(count - part.count, padding: padding) : after(padding)
            case .extended(let kind, let collected, let remaining, let padding):
                let part = rest.prefix(remaining)
                rest = rest.dropFirst(part.count)
                let all = collected + part
                if part.count < remaining {
                    state = .extended(kind, all, remaining: remaining - part.count, padding: padding)
                } else {
                    apply(kind, all)
                    state = after(padding)
                }
            case .skip(let count):
                let part = rest.prefix(count)
                rest = rest.dropFirst(part.count)
                state = part.count < count ? .skip(count - part.count) : .header
            }
        }
        return events
    }

    private func after(_ padding: Int) -> State { padding == 0 ? .header : .skip(padding) }

    private mutating func read(_ header: [UInt8], _ events: inout [TarEvent]) throws {
        if header.allSatisfy({ $0 == 0 }) { return }
        let expected = Self.number(header[148..<156])
        let sum = header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
        guard expected == sum else { throw Failure("this is not a tar archive: the checksum of an entry is wrong") }
        let size = Self.number(header[124..<136])
        let kind = header[156]
        if kind == UInt8(ascii: "x") || kind == UInt8(ascii: "L") || kind == UInt8(ascii: "g") {
            guard size <= 1 << 20 else { throw Failure("this is not a tar archive: a name of \(size) bytes") }
            let padding = Self.padding(size)
            if kind == UInt8(ascii: "g") {
                state = after(size + padding)
            } else {
                state = .extended(kind == UInt8(ascii: "x") ? .pax : .longName, [], remaining: size, padding: padding)
            }
            return
        }
        let name = nextName ?? Self.name(header)
        let length = nextSize ?? size
        (nextName, nextSize) = (nil, nil)
        switch kind {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
            if name.hasSuffix("/") {
                events.append(.folder(name: name))
                state = after(length + Self.padding(length))
            } else {
                events.append(.file(name: name))
                state = length == 0 ? .header : .body(length, padding: Self.padding(length))
            }
        case UInt8(ascii: "5"):
            events.append(.folder(name: name))
            state = after(length + Self.padding(length))
        default:
            state = after(length + Self.padding(length))
        }
    }

    private mutating func apply(_ kind: ExtensionKind, _ bytes: [UInt8]) {
        switch kind {
        case .longName:
            nextName = Self.text(bytes[...])
        case .pax:
            // Records: "<length> <key>=<value>\n".
            var rest = bytes[...]
            while let space = rest.firstIndex(of: 32),
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
                length > 0, length <= rest.count
            {
                let record = String(decoding: rest[(space + 1)..<(rest.startIndex + length - 1)], as: UTF8.self)
                if record.hasPrefix("path=") { nextName = String(record.dropFirst(5)) }
                if record.hasPrefix("size=") { nextSize = Int(record.dropFirst(5)) }
                rest = rest.dropFirst(length)
            }
        }
    }

    private static func padding(_ size: Int) -> Int { (512 - size % 512) % 512 }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    private static func name(_ header: [UInt8]) -> String {
        let name = text(header[0..<100])
        let isUstar = header[257..<262].elementsEqual("ustar".utf8)
        let prefix = isUstar && header[262] == 0 ? text(header[345..<500]) : ""
        return prefix.isEmpty ? name : prefix + "/" + name
    }

    /// Octal digits, or a big-endian number after a set high bit.
    private static func number(_ field: ArraySlice<UInt8>) -> Int {
        if let first = field.first, first & 0x80 != 0 {
            return field.dropFirst().suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        return field.reduce(0) { (48...55).contains($1) ? $0 << 3 | Int($1 - 48) : $0 }
    }
}

/// Where an archive's entry goes below a folder: the parts of its name below `prefix`; nil for the prefix itself.
/// Throws for a name that would leave the folder.
func safeEntryPath(_ name: String, below prefix: String) throws -> [String]? {
    func parts(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." && !$0.isEmpty }
    }
    let entry = parts(name)
    if entry.contains("..") { throw Failure("the archive holds \"\(name)\", which would leave the target folder") }
    let base = parts(prefix)
    let inner = entry.starts(with: base) ? Array(entry.dropFirst(base.count)) : entry
    return inner.isEmpty ? nil : inner
}
