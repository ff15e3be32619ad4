import Core

/// What a tree is sorted by: a path and a datum tag, compared by their bytes (the path's, a zero byte, the tag's).
/// Never compared as text: two spellings of one character are two keys.
package struct TreeKey: Comparable, Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]
    /// Where the zero byte stands; `bytes.count` for a bare bound, which is no key of a file.
    let split: Int

    /// The key of a file: `path` like "/a/b", without a zero byte.
    package init(path: String, datum: String) {
        var path = path
        var datum = datum
        bytes = path.withUTF8 { first in
            datum.withUTF8 { second in
                [UInt8](unsafeUninitializedCapacity: first.count + second.count + 1) { buffer, count in
                    _ = buffer.initialize(from: first)
                    buffer[first.count] = 0
                    _ = UnsafeMutableBufferPointer(rebasing: buffer[(first.count + 1)...]).initialize(from: second)
                    count = first.count + second.count + 1
                }
            }
        }
        split = path.utf8.count
    }

    /// Longest key that is stored, in bytes: a path, a zero byte and a datum tag. Nodes hold their keys whole.
    package static let longest = 8 << 10

    /// The key of something to be written: throws `invalidArgument` where it could not stand in a tree.
    static func checked(path: String, datum: String, isDirectory: Bool) throws -> TreeKey {
        let key = TreeKey(path: path, datum: datum)
        guard key.bytes.count <= longest else {
            throw SpileError.invalid(
                "a path and its datum tag have \(key.bytes.count - 1) bytes, the store takes \(longest - 1)")
        }
        let hasZero = key.bytes.withUnsafeBytes {
            holdsZero($0.slice(0..<key.split)) || holdsZero($0.slice((key.split + 1)..<$0.count))
        }
        guard !hasZero, key.split > 0 else {
            throw SpileError.invalid("a path must not be empty, nor hold a zero byte, nor may its datum tag")
        }
        guard key.isDirectoryMark == isDirectory else {
            throw SpileError.invalid(
                isDirectory ? "a directory's path must end in /" : "a file's path must not end in /")
        }
        return key
    }

    /// The key that stored bytes stand for.
    init(_ buffer: UnsafeRawBufferPointer) {
        bytes = Array(buffer)
        split = bytes.firstIndex(of: 0) ?? bytes.count
    }

    private init(bound: [UInt8]) {
        bytes = bound
        split = bound.firstIndex(of: 0) ?? bound.count
    }

    package var path: String { String(decoding: bytes[..<split], as: UTF8.self) }
    package var datum: String { split < bytes.count ? String(decoding: bytes[(split + 1)...], as: UTF8.self) : "" }

    /// Bounds of every key whose path begins with `prefix` (for what lies under a directory, let it end in "/"): from
    /// the first, up to but not including the second; nil where there is no upper bound.
    package static func bounds(pathPrefix prefix: String) -> (from: TreeKey, upTo: TreeKey?) {
        let first = Array(prefix.utf8)
        var last = first
        while let byte = last.popLast() {
            guard byte < 0xff else { continue }
            return (TreeKey(bound: first), TreeKey(bound: last + [byte + 1]))
        }
        return (TreeKey(bound: first), nil)
    }

    /// Bounds of every datum tag of one path.
    package static func bounds(path: String) -> (from: TreeKey, upTo: TreeKey?) {
        (TreeKey(bound: Array(path.utf8) + [0]), TreeKey(bound: Array(path.utf8) + [1]))
    }

    /// The least key behind this one: the place to go on after it.
    package var successor: TreeKey { TreeKey(bound: bytes + [0]) }

    package static func < (a: TreeKey, b: TreeKey) -> Bool {
        a.bytes.withUnsafeBytes { a in b.bytes.withUnsafeBytes { b in compareBytes(a, b) < 0 } }
    }

    package static func == (a: TreeKey, b: TreeKey) -> Bool { a.bytes == b.bytes }

    package func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    package var description: String { datum.isEmpty ? path : "\(path)@\(datum)" }

    /// Whether this is the mark for "everything below", which no file's key can be: its path ends in "/".
    var isDirectoryMark: Bool { split > 0 && split < bytes.count && bytes[split - 1] == UInt8(ascii: "/") }

    /// Whether this mark's path begins `key`.
    func covers(_ key: UnsafeRawBufferPointer) -> Bool {
        guard key.count >= split else { return false }
        return bytes.withUnsafeBytes { compareBytes($0.slice(0..<split), key.slice(0..<split)) == 0 }
    }

    /// Whether `key` has this mark's datum tag.
    func hasDatum(of key: UnsafeRawBufferPointer) -> Bool {
        let length = bytes.count - split
        guard key.count >= length else { return false }
        return bytes.withUnsafeBytes {
            compareBytes($0.slice(split..<bytes.count), key.slice((key.count - length)..<key.count)) == 0
        }
    }
}

/// Sums over the entries of a range.
package struct Aggregate: Sendable, Equatable {
    /// Files (one per path and datum tag).
    package var entries: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Says which files with which content are in the range, whatever the shape of the tree.
    package var fingerprint = Fingerprint.zero
    /// Stands for the datum tag of all entries (``TagReader``); zero if they have different ones or there are none.
    var tag: UInt64 = 0

    package init() {}

    init(size: UInt64, print: Fingerprint, tag: UInt64) {
        entries = 1
        bytes = size
        fingerprint = print
        self.tag = tag
    }

    @inline(__always)
    static func += (a: inout Aggregate, b: Aggregate) {
        if a.entries == 0 { a.tag = b.tag } else if b.entries > 0, a.tag != b.tag { a.tag = 0 }
        a.entries &+= b.entries
        a.bytes &+= b.bytes
        a.fingerprint += b.fingerprint
    }

    /// Takes out a part, all of which has the same datum tag.
    @inline(__always)
    static func -= (a: inout Aggregate, b: Aggregate) {
        a.entries &-= b.entries
        a.bytes &-= b.bytes
        a.fingerprint -= b.fingerprint
        if a.entries == 0 { a.tag = 0 }
    }
}
