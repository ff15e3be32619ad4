import Core
import Storage
import Versioning

/// Much data at once: a large file, the same again, many small files, an append to a large file.
struct EngineBulk {
    let bench: Workbench
    private var plan: Plan { bench.plan }

    func largeFile() async throws {
        let engine = try Engine(folder: try bench.newFolder("bulk"))
        let repo = try await engine.makeRepo("bulk")
        let megabytes = Double(plan.largeFile) / 1e6
        var first = Line(
            name: "engine: large file in, durable", unit: "MB/s", limit: "min(w, 0.6 h)", goal: .atLeast(0.8),
            samples: [])
        var again = Line(
            name: "engine: the same again, all known", unit: "MB/s", limit: "h", goal: .atLeast(0.6), samples: [])
        var written = Line(
            name: "engine: bytes written ÷ given, bulk", unit: "MB", limit: "MB", goal: .atMost(1.15), samples: [],
            remark: "by the store")
        var reached = written
        reached.remark = "by the kernel's count"
        for run in 0..<plan.runs {
            let content = Noise.bytes(plan.largeFile, seed: 100 + UInt64(run))
            func put(_ path: String) async throws -> Double {
                let watch = Stopwatch()
                try await engine.commit(to: repo) { upload in
                    try content.withUnsafeBytes { try upload.add(path, $0) }
                }
                return megabytes / watch.seconds
            }
            let meter = BytesMeter(engine)
            let ((speed, limit), foreign) = try await bench.window {
                let write = try content.withUnsafeBytes { try bench.limits.sequentialWrite($0) }
                let hash = await bench.limits.hash()
                Progress.say("  w \(Table.number(write)) MB/s, h \(Table.number(hash)) MB/s")
                meter.start()
                return (try await put("/first\(run)"), min(write, 0.6 * hash))
            }
            first.samples.append(Sample(ours: speed, limit: limit, foreign: foreign))
            written.samples.append(Sample(ours: meter.store / 1e6, limit: megabytes, foreign: foreign))
            reached.samples.append(Sample(ours: meter.kernel / 1e6, limit: megabytes, foreign: foreign))
            let ((repeated, hash), noise) = try await bench.window {
                (try await put("/again\(run)"), await bench.limits.hash())
            }
            again.samples.append(Sample(ours: repeated, limit: hash, foreign: noise))
        }
        for line in [first, again, written, reached] { bench.add(line) }
        try engine.history.close()
    }

    func manyFiles() async throws {
        let engine = try Engine(folder: try bench.newFolder("many"))
        let repo = try await engine.makeRepo("many")
        let given = Double(plan.files * Messages.size) / 1e6
        var speed = Line(
            name: "engine: \(plan.files) files of 1 KiB, one stream", unit: "files/s", goal: .atLeast(100_000),
            samples: [])
        var written = Line(
            name: "engine: bytes written ÷ given, 1 KiB files", unit: "MB", limit: "MB", goal: .atMost(2),
            samples: [], remark: "by the store")
        var reached = written
        reached.remark = "by the kernel's count"
        for run in 0..<plan.runs {
            let content = Noise.bytes(plan.files * Messages.size, seed: 200 + UInt64(run))
            let paths = (0..<plan.files).map { "/run\(run)" + Names.path($0, directory: plan.directory) }
            let meter = BytesMeter(engine)
            let (rate, foreign) = try await bench.window {
                meter.start()
                let watch = Stopwatch()
                try await engine.commit(to: repo) { upload in
                    try content.withUnsafeBytes { bytes in
                        for (index, path) in paths.enumerated() {
                            let start = index * Messages.size
                            try upload.add(path, UnsafeRawBufferPointer(rebasing: bytes[start..<start + Messages.size]))
                        }
                    }
                }
                return Double(plan.files) / watch.seconds
            }
            speed.samples.append(Sample(ours: rate, limit: nil, foreign: foreign))
            written.samples.append(Sample(ours: meter.store / 1e6, limit: given, foreign: foreign))
            reached.samples.append(Sample(ours: meter.kernel / 1e6, limit: given, foreign: foreign))
        }
        for line in [speed, written, reached] { bench.add(line) }
        try engine.history.close()
    }

    func append() async throws {
        let engine = try Engine(folder: try bench.newFolder("append"))
        let repo = try await engine.makeRepo("log")
        let plan = plan
        Progress.say("  preparing a file of \(Table.number(Double(plan.appended) / 1e6)) MB")
        let empties = plan.runs * plan.comparedCommits
        try await engine.commit(to: repo) { upload in
            var left = plan.appended
            var piece = [UInt8](repeating: 0, count: 1 << 20)
            while left > 0 {
                let size = Int(min(left, UInt64(piece.count)))
                try piece.withUnsafeMutableBytes { bytes in
                    Noise.fill(bytes, seed: left)
                    try upload.add("/large", UnsafeRawBufferPointer(rebasing: bytes[..<size]))
                }
                left -= UInt64(size)
            }
            for index in 0..<empties {
                try upload.add("/empty" + Names.padded(index), UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }
        var number = 0
        func add(_ path: String) async throws -> Double {
            let line = Noise.bytes(100, seed: UInt64(number))
            let watch = Stopwatch()
            try await engine.commit(to: repo) { upload in try line.withUnsafeBytes { try upload.add(path, $0) } }
            return watch.seconds * 1e6
        }
        let size = Table.number(Double(plan.appended) / 1e9)
        try await bench.measure(
            "engine: append 100 B to \(size) GB ÷ to nothing", unit: "µs", limit: "µs", goal: .atMost(1.5)
        ) { _ in
            var sums = (0.0, 0.0)
            for _ in 0..<plan.comparedCommits {
                sums.0 += try await add("/large")
                sums.1 += try await add("/empty" + Names.padded(number))
                number += 1
            }
            return (sums.0 / Double(plan.comparedCommits), sums.1 / Double(plan.comparedCommits))
        }
        try engine.history.close()
    }
}

/// Counts bytes written from its start: as the store counts them, and as the kernel counts this process's.
final class BytesMeter {
    private let engine: Engine
    private var base = (store: 0.0, kernel: 0.0)

    init(_ engine: Engine) { self.engine = engine }

    func start() { base = read() }
    var store: Double { read().store - base.store }
    var kernel: Double { read().kernel - base.kernel }

    private func read() -> (store: Double, kernel: Double) {
        (Double(engine.history.store.statistics().bytesWritten), ProcessFigures.bytesWritten())
    }
}
