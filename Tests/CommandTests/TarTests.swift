import Testing

@testable import spile

@Suite struct TarTests {
    /// One entry: a header block with its checksum, the data, zeros to a full block.
    private func entry(_ name: String, _ data: String, kind: Character = "0") -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
        }
        func octal(_ number: Int, _ width: Int) -> String {
            let digits = String(number, radix: 8)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        put(name, at: 0)
        put(octal(data.utf8.count, 11), at: 124)
        put("        ", at: 148)
        put(String(kind), at: 156)
        put("ustar", at: 257)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6), at: 148)
        header[154] = 0
        let padding = (512 - data.utf8.count % 512) % 512
        return header + Array(data.utf8) + [UInt8](repeating: 0, count: padding)
    }

    /// The files of an archive, read in pieces of one size.
    private func read(_ archive: [UInt8], piece: Int) throws -> [String: String] {
        var reader = TarReader()
        var files: [String: String] = [:]
        var current: String?
        var index = 0
        while index < archive.count {
            let end = min(index + piece, archive.count)
            for event in try reader.feed(archive[index..<end]) {
                switch event {
                case .folder: current = nil
                case .file(let name):
                    current = name
                    files[name] = ""
                case .bytes(let bytes):
                    if let current { files[current]! += String(decoding: bytes, as: UTF8.self) }
                }
            }
            index = end
        }
        #expect(reader.isBetweenEntries)
        return files
    }

    @Test(arguments: [1, 7, 511, 512, 513, 100_000])
    func `an archive reads the same in pieces of any size`(piece: Int) throws {
        let long = String(repeating: "d/", count: 80) + "name"
        let record = "path=\(long)\n"
        let count = record.utf8.count + 4
        let archive =
            entry("a/", "", kind: "5") + entry("a/x", "hello") + entry("empty", "")
            + entry("pax", "\(count) \(record)", kind: "x") + entry("short", String(repeating: "z", count: 600))
            + entry("link", "", kind: "2") + entry("././@LongLink", long + "2\0", kind: "L") + entry("short2", "q")
            + [UInt8](repeating: 0, count: 1024)
        #expect(
            try read(archive, piece: piece) == [
                "a/x": "hello", "empty": "", long: String(repeating: "z", count: 600), long + "2": "q",
            ])
    }

    @Test func `what is no archive is refused`() {
        #expect(throws: Failure.self) { try read([UInt8](repeating: 65, count: 512), piece: 512) }
    }

    @Test func `an archive that ends early is noticed`() throws {
        var reader = TarReader()
        _ = try reader.feed(entry("a", "hello")[..<514])
        #expect(!reader.isBetweenEntries)
    }

    @Test func `entries stay below the folder`() throws {
        #expect(try safeEntryPath("/a/b/c", below: "/a") == ["b", "c"])
        #expect(try safeEntryPath("/a", below: "/a/") == nil)
        #expect(try safeEntryPath("x/./y", below: "") == ["x", "y"])
        #expect(throws: Failure.self) { try safeEntryPath("../x", below: "") }
        #expect(throws: Failure.self) { try safeEntryPath("a/../../x", below: "") }
    }

    @Test func `unpacking makes the folders it needs`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var unpacker = Unpacker(folder: folder.path + "/out", prefix: "/in")
        try unpacker.take((entry("/in/a/x", "1") + entry("/in/y", "2"))[...])
        try unpacker.finish()
        #expect(try folder.read("out/a/x") == "1")
        #expect(try folder.read("out/y") == "2")
    }
}
