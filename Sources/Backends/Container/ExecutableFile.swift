/// What can be told of a program from its file.
enum ExecutableFile {
    /// Whether a Linux program needs nothing of its machine but the kernel: it names no interpreter to load it. Nil for
    /// a file that is no 64-bit ELF program of little-endian numbers.
    static func isStatic(_ path: String) -> Bool? {
        // The table of segments stands right behind the header, as all linkers put it.
        guard let bytes = PosixFiles.read(path, limit: 16 << 10), bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1])
        else { return nil }
        func number(_ offset: Int, _ count: Int) -> Int? {
            guard offset >= 0, offset + count <= bytes.count else { return nil }
            return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        guard let table = number(0x20, 7), let size = number(0x36, 2), let count = number(0x38, 2), size > 0
        else { return nil }
        let interpreter = 3
        return (0..<count).allSatisfy { number(table + $0 * size, 4) != interpreter }
    }
}
