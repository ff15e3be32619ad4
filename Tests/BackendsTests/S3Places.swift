import Backends
import Core
import Foundation
import Simulation

/// The other end of `s3://` in tests: a fake bucket, and a server's environment that leads there.
struct S3Places {
    let scene: S3Scene
    let buckets: S3Buckets
    static let pieceBytes = 64 << 10

    init(
        pageSize: Int = 3, variables: [String: String] = [:], change: (inout S3Buckets.Options) -> Void = { _ in }
    ) throws {
        scene = try S3Scene(pageSize: pageSize)
        var options = S3Buckets.Options()
        options.pieceBytes = Self.pieceBytes
        options.firstBytes = 16 << 10
        options.policy.firstPause = 0.001
        change(&options)
        buckets = S3Buckets(
            variables: scene.environment.merging(variables) { $1 }, options: options, clock: scene.bucket.clock,
            randomness: SeededRandomness(seed: 5))
    }
}

extension S3Buckets {
    /// What a URL gives: bytes by the rest of the path, each file's pieces put together.
    /// `begun` hears of each file.
    func fetch(
        _ url: String, recursive: Bool = false, _ begun: (String) -> Void = { _ in }
    ) async throws -> [String: [UInt8]] {
        let fetcher = try URLFetcher(folders: [], trustFile: nil, buckets: self)
        var found: [String: [UInt8]] = [:]
        var last: String?
        do {
            try await fetcher.fetch(try SourceURL(url), recursive: recursive) { rest, bytes in
                if rest != last, found[rest] != nil { throw SpileError.bug("pieces of \(rest) are not together") }
                if rest != last { begun(rest) }
                last = rest
                found[rest, default: []] += bytes
            }
        } catch {
            await fetcher.close()
            throw error
        }
        await fetcher.close()
        return found
    }

    /// The error that fetching a URL ends with.
    func failure(_ url: String, recursive: Bool = false) async -> SpileError? {
        do { _ = try await fetch(url, recursive: recursive) } catch { return error as? SpileError }
        return nil
    }

    /// Writes a file in pieces of odd sizes.
    func put(_ path: String, _ bytes: [UInt8], below url: String) async throws {
        var rest = bytes[...]
        try await S3Egress(self).put(path, size: UInt64(bytes.count), below: try SourceURL(url)) { most in
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(min(most, 10_007)) }
            return Array(rest.prefix(min(most, 10_007)))
        }
    }
}
