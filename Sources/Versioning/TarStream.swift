import Core
import Storage

/// Headers of a tar archive (POSIX ustar, with pax records where a name or size does not fit).
///
/// Names are absolute, modes and times zero, owners zero: the same files give the same archive, byte for byte
/// (`pfs.md` §4.7, GetFileTAR).
package enum TarStream {
    static let blockBytes = 512
    private static let largestOctalSize: UInt64 = 0o77777777777

    /// The two zero blocks that end an archive.
    package static let end = [UInt8](repeating: 0, count: 2 * blockBytes)

    /// What stands before the bytes of an entry.
    package static func header(_ view: FileView) -> [UInt8] {
        let name = Array(view.path.utf8)
        let size = view.isDirectory ? 0 : view.size
        var records: [UInt8] = []
        let split = Self.split(name)
        if split == nil || !view.path.utf8.allSatisfy({ $0 < 128 }) { records += record("path", view.path) }
        if size > largestOctalSize { records += record("size", String(size)) }
        var result: [UInt8] = []
        if !records.isEmpty {
            result += block(
                name: Array("PaxHeaders.0/entry".utf8), prefix: [], size: UInt64(records.count), type: "x")
            result += records + padding(UInt64(records.count))
        }
        let (prefix, rest) = split ?? ([], Array(name.prefix(100)))
        return result
            + block(
                name: rest, prefix: prefix, size: min(size, largestOctalSize), type: view.isDirectory ? "5" : "0")
    }

    /// The zeros after an entry of `size` bytes.
    package static func padding(_ size: UInt64) -> [UInt8] {
        let rest = Int(size % UInt64(blockBytes))
        return rest == 0 ? [] : [UInt8](repeating: 0, count: blockBytes - rest)
    }

    /// Splits a name over the prefix and name fields; nil if it does not fit.
    private static func split(_ name: [UInt8]) -> ([UInt8], [UInt8])? {
        if name.count <= 100 { return ([], name) }
        guard name.count <= 256 else { return nil }
        for index in name.indices.reversed() where name[index] == UInt8(ascii: "/") && index <= 155 && index > 0 {
            let rest = Array(name[(index + 1)...])
            return rest.count <= 100 && !rest.isEmpty ? (Array(name[..<index]), rest) : nil
        }
        return nil
    }

    private static func record(_ key: String, _ value: String) -> [UInt8] {
        let content = key.utf8.count + value.utf8.count + 3
        var length = content + String(content).utf8.count
        if String(length).utf8.count > String(content).utf8.count { length += 1 }
        return Array("\(length) \(key)=\(value)\n".utf8)
    }

    private static func block(name: [UInt8], prefix: [UInt8], size: UInt64, type: Character) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockBytes)
        func put(_ bytes: some Collection<UInt8>, at offset: Int) {
            block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        func octal(_ value: UInt64, digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8)
        }
        put(name, at: 0)
        put(octal(0, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size, digits: 11), at: 124)
        put(octal(0, digits: 11), at: 136)
        put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148)
        block[156] = type.asciiValue ?? 0
        put(Array("ustar\u{0}00".utf8), at: 257)
        put(prefix, at: 345)
        let sum = block.reduce(0 as UInt64) { $0 + UInt64($1) }
        put(octal(sum, digits: 6) + [0, UInt8(ascii: " ")], at: 148)
        return block
    }
}

extension CommitFiles {
    /// Everything that `glob` matches and all that is below it, in order, each once. False if nothing matches.
    package func archive(
        _ glob: Glob, range: PathRange = PathRange(), _ body: (FileView) async throws -> Bool
    ) async throws -> Bool {
        var covered: String?
        var found = false
        try await self.glob(glob, range: range) { view in
            found = true
            if let covered, FilePath.has(view.path, prefix: covered) { return true }
            guard view.isDirectory else { return try await body(view) }
            covered = view.path
            var proceed = true
            try await walk(view.path) { inner in
                proceed = try await body(inner)
                return proceed
            }
            return proceed
        }
        return found
    }
}
