#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The contract's table of messages and fields, as the tests keep it.
enum WireTable {
    static func rows(file: StaticString = #filePath) -> [[String]]? {
        let tests = "\(file)".split(separator: "/").dropLast(2).joined(separator: "/")
        guard let stream = fopen("/\(tests)/Wire/wire.tsv", "r") else { return nil }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&block, 1, block.count, stream), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
    }
}
