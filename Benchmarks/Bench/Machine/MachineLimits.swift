import Crypto
import Foundation

/// `O_DIRECT`, which the C library shows to GNU sources only; 0 where there is none.
#if os(Linux) && arch(x86_64)
    private let directFlag: Int32 = 0o40000
#elseif os(Linux) && arch(arm64)
    private let directFlag: Int32 = 0o200000
#else
    private let directFlag: Int32 = 0
#endif

/// What this machine can do at best, measured beside our own figures: `d`, `w` and `h` of docs/BENCHMARKS.md.
final class MachineLimits {
    /// A file in this folder is used again and again.
    private let folder: String
    private let window: Double
    /// How files are written here, once it is known which way is faster.
    private var fasterFlag: Int32?

    init(folder: String, window: Double) {
        self.folder = folder
        self.window = window
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ what: String) { description = "\(what): \(String(cString: strerror(errno)))" }
    }

    /// `d`: `fdatasync` calls a second, each after an append of 4 KiB.
    func appendsPerSecond() async throws -> Double {
        let file = try open(O_RDWR | O_CREAT | O_TRUNC)
        defer { close(file) }
        let block = Noise.bytes(4096, seed: 1)
        return try await Stopwatch.rate(for: window / 2) { index in
            guard pwrite(file, block, block.count, off_t(index * block.count)) == block.count, fdatasync(file) == 0
            else { throw Failure("append") }
        }
    }

    /// `w`: MB/s of a sequential write that is durable at the end; the better of direct and buffered.
    func sequentialWrite(_ content: UnsafeRawBufferPointer) throws -> Double {
        if let fasterFlag { return try write(content, fasterFlag) }
        let direct = try write(content, directFlag)
        let buffered = try write(content, 0)
        // Where one is far ahead, the other would only cost time.
        if max(direct, buffered) > 1.5 * min(direct, buffered) { fasterFlag = direct > buffered ? directFlag : 0 }
        return max(direct, buffered)
    }

    private func write(_ content: UnsafeRawBufferPointer, _ flag: Int32) throws -> Double {
        let file = Foundation.open(path, O_RDWR | O_CREAT | O_TRUNC | flag, 0o600)
        // File systems without direct writes refuse the flag.
        if file < 0 && errno == EINVAL { return 0 }
        guard file >= 0 else { throw Failure("open \(path)") }
        defer {
            ftruncate(file, 0)
            close(file)
        }
        let step = 8 << 20
        let aligned = UnsafeMutableRawBufferPointer.allocate(byteCount: step, alignment: 4096)
        defer { aligned.deallocate() }
        aligned.initializeMemory(as: UInt8.self, repeating: 0)
        let watch = Stopwatch()
        posix_fallocate(file, 0, off_t(content.count))
        var offset = 0
        while offset + step <= content.count {
            // Direct writes need aligned memory; a copy costs little beside a write.
            aligned.copyMemory(from: UnsafeRawBufferPointer(rebasing: content[offset..<offset + step]))
            guard pwrite(file, aligned.baseAddress, step, off_t(offset)) == step else {
                if flag != 0 && errno == EINVAL { return 0 }
                throw Failure("write")
            }
            offset += step
        }
        guard fdatasync(file) == 0 else { throw Failure("sync") }
        return Double(offset) / watch.seconds / 1e6
    }

    /// `h`: MB/s of SHA-256 on one core, over chunks of 1 MiB.
    func hash() async -> Double {
        let chunk = Noise.bytes(1 << 20, seed: 2)
        var sum: UInt8 = 0
        let rate = await Stopwatch.rate(for: window / 4) { _ in
            chunk.withUnsafeBytes { bytes in
                var hash = SHA256()
                hash.update(bufferPointer: bytes)
                sum ^= hash.finalize().withUnsafeBytes { $0[0] }
            }
        }
        withExtendedLifetime(sum) {}
        return rate * Double(chunk.count) / 1e6
    }

    private var path: String { folder + "/limit" }

    private func open(_ flags: Int32) throws -> Int32 {
        let file = Foundation.open(path, flags, 0o600)
        guard file >= 0 else { throw Failure("open \(path)") }
        return file
    }
}
