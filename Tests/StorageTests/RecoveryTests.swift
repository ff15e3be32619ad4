import Backends
import Core
import Simulation
import Storage
import Testing

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

@Suite struct RecoveryTests {
    /// Commits of one small file each, with the contents after each.
    private struct History {
        var roots: [(root: Root, files: [TreeKey: [UInt8]])] = [(.empty, [:])]

        mutating func commit(_ store: Store, _ writer: SlotWriter, _ index: Int, size: Int = 40) throws {
            let key = TreeKey(path: "/f\(index)", datum: "d")
            var files = roots.last!.files
            files[key] = Seeded(UInt64(index) + 1).withBytes(size)
            let root = try store.change(roots.last!.root, writer) { try $0.add(key.path, files[key]!) }
            roots.append((root, files))
        }
    }

    @Test func `what was synced is there after a crash, and what was not is gone whole`() throws {
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = Seeded(seed)
            let objects = MemoryObjectStore()
            let store = try Store(objects: objects, options: .tiny)
            let writer = try store.makeCommitWriter()
            var history = History()
            for index in 0..<(1 + random.below(30)) {
                try history.commit(store, writer, index, size: random.below(900))
            }
            let changes = store.beginChanges()
            try changes.add("/lost", random.bytes(200))
            let lost = try store.apply(try changes.finish(), to: history.roots.last!.root, through: writer)
            let after = objects.crash { _, _ in random.below(2) == 0 }
            let reopened = try Store(objects: after, options: .tiny)
            for (root, files) in history.roots {
                #expect(try reopened.contents(root) == files, "seed \(seed)")
                #expect(try reopened.findings(root) == [], "seed \(seed)")
            }
            #expect(throws: SpileError.self) { try reopened.contents(lost) }
            let second = try reopened.makeCommitWriter()
            try history.commit(reopened, second, 1_000)
            #expect(try reopened.contents(history.roots.last!.root) == history.roots.last!.files, "seed \(seed)")
        }
    }

    @Test func `a segment cut or damaged at any byte of its last slots keeps the slots before`() throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .tiny)
        let writer = try store.makeCommitWriter()
        var history = History()
        var ends: [Int] = []
        for index in 0..<3 {
            try history.commit(store, writer, index)
            ends.append(store.statistics().bytesWritten)
        }
        let name = try #require(try objects.list().first { $0.name.hasSuffix(".open") }?.name)
        let bytes = try objects.bytes(name)
        for cut in ends[0]..<ends[2] {
            for isDamaged in [false, true] {
                var left = isDamaged ? bytes : Array(bytes[..<cut])
                if isDamaged { left[cut] ^= 0x40 }
                let objects = MemoryObjectStore()
                try left.withUnsafeBytes { try objects.replace(name, with: $0) }
                let reopened = try Store(objects: objects, options: .tiny)
                let whole = cut < ends[1] ? 1 : 2
                for (root, files) in history.roots[0...whole] {
                    #expect(try reopened.contents(root) == files, "cut at \(cut)")
                }
                #expect(throws: SpileError.self, "cut at \(cut)") { try reopened.contents(history.roots[3].root) }
                try reopened.close()
            }
        }
    }

    @Test func `recovery interrupted by another crash starts over`() throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .tiny)
        let writer = try store.makeCommitWriter()
        var history = History()
        for index in 0..<5 { try history.commit(store, writer, index) }
        var after = objects.crash()
        for _ in 0..<3 {
            _ = try Store(objects: after, options: .tiny)
            after = after.crash { _, offset in offset % 1024 == 0 }
        }
        let last = try Store(objects: after, options: .tiny)
        #expect(try last.contents(history.roots[5].root) == history.roots[5].files)
    }

    @Test func `segment numbers go on after a restart`() throws {
        let objects = MemoryObjectStore()
        var history = History()
        var names: Set<String> = []
        for life in 0..<5 {
            let store = try Store(objects: objects, options: .tiny)
            let writer = try store.makeCommitWriter()
            try history.commit(store, writer, life)
            try store.close()
            names.formUnion(try objects.list().map(\.name))
        }
        #expect(names.count == 5)
        let store = try Store(objects: objects, options: .tiny)
        #expect(try store.contents(history.roots[5].root) == history.roots[5].files)
    }

    @Test func `a segment of a newer format is refused with a clear text`() throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .tiny)
        var history = History()
        try history.commit(store, try store.makeCommitWriter(), 0)
        try store.close()
        let name = try #require(try objects.list().first?.name)
        var bytes = try objects.bytes(name)
        // Footer: version at 8, check over the first 72 bytes at 72.
        let footer = bytes.count - 80
        bytes[footer + 8] = 2
        var check: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes[footer..<(footer + 72)] { check = (check ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        for index in 0..<8 { bytes[footer + 72 + index] = UInt8(truncatingIfNeeded: check >> (8 * UInt64(index))) }
        try bytes.withUnsafeBytes { try objects.replace(name, with: $0) }
        let reopened = try Store(objects: objects, options: .tiny)
        let error = #expect(throws: SpileError.self) { try reopened.contents(history.roots[1].root) }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.contains("format 2") == true)
    }

    @Test func `damage in a sealed segment is found by reading and by verifying`() throws {
        let objects = MemoryObjectStore()
        let store = try Store(objects: objects, options: .simulated)
        let root = try store.change(.empty) { try $0.add("/f", Seeded(1).withBytes(2_000_000)) }
        try store.close()
        let name = try #require(try objects.list().first?.name)
        var bytes = try objects.bytes(name)
        bytes[500_000] ^= 1
        try bytes.withUnsafeBytes { try objects.replace(name, with: $0) }
        let reopened = try Store(objects: objects, options: .simulated)
        #expect(try reopened.findings(root).count >= 1)
    }
}

@Suite struct LocalDiskTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        var template = Array(("/tmp/spile-torn-" + String(repeating: "X", count: 6)).utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { removeAll(folder) }
        try body(folder)
    }

    private func removeAll(_ folder: String) {
        guard let stream = opendir(folder) else { return }
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { unlink(folder + "/" + name) }
        }
        closedir(stream)
        rmdir(folder)
    }

    @Test func `a large file goes to disk and comes back, also after a restart`() throws {
        try withFolder { folder in
            let bytes = Seeded(9).withBytes(24_000_000)
            var root = Root.empty
            do {
                let store = try Store(objects: try LocalDisk(folder: folder))
                root = try store.change(root) { changes in
                    for start in stride(from: 0, to: bytes.count, by: 1_000_000) {
                        try changes.add("/large", Array(bytes[start..<min(bytes.count, start + 1_000_000)]))
                    }
                }
                let found = try #require(try store.entry(root, path: "/large", datum: "d"))
                #expect(try store.read(found, offset: 0, maxBytes: bytes.count) == bytes)
                let written = Double(store.statistics().bytesWritten)
                #expect(written <= 1.15 * Double(bytes.count), "\(written) bytes written")
            }
            let store = try Store(objects: try LocalDisk(folder: folder))
            #expect(store.statistics().recoveredSegments == 1)
            #expect(try store.contents(root) == [TreeKey(path: "/large", datum: "d"): bytes])
            #expect(try store.findings(root) == [])
            try store.close()
        }
    }

    @Test func `small commits on disk survive a restart and a torn tail`() throws {
        try withFolder { folder in
            var roots: [Root] = [.empty]
            do {
                let store = try Store(objects: try LocalDisk(folder: folder), options: .tiny)
                let writer = try store.makeCommitWriter()
                for index in 0..<40 {
                    roots.append(try store.change(roots[index], writer) { try $0.add("/f\(index)", [UInt8(index)]) })
                }
            }
            let disk = try LocalDisk(folder: folder)
            let open = try #require(try disk.list().first { $0.name.hasSuffix(".open") })
            let garbage = open64(folder + "/" + open.name)
            pwrite(garbage, "garbage behind the last slot", 28, off_t(open.size - 28))
            close(garbage)
            let store = try Store(objects: disk, options: .tiny)
            for (index, root) in roots.enumerated() { #expect(try store.contents(root).count == index) }
            try store.close()
        }
    }

    private func open64(_ path: String) -> Int32 { open(path, O_WRONLY) }

    @Test func `a folder in use by another store is refused`() throws {
        try withFolder { folder in
            let first = try LocalDisk(folder: folder)
            let error = #expect(throws: SpileError.self) { try LocalDisk(folder: folder) }
            #expect(error?.code == .failedPrecondition)
            _ = try first.list()
        }
    }

    @Test func `errors name the operation and the path`() throws {
        try withFolder { folder in
            let disk = try LocalDisk(folder: folder)
            let error = #expect(throws: SpileError.self) { try disk.open("missing") }
            #expect(error?.code == .notFound)
            #expect(error?.message.contains(folder + "/missing") == true)
        }
    }
}
