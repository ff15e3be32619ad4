import Core
import NIOCore

/// Files that leave for a bucket, by `s3://bucket/prefix`. A small one is one request; a large one goes in parts, and
/// is there once all of them are.
package struct S3Egress: EgressTarget {
    private let buckets: S3Buckets

    package init(_ buckets: S3Buckets) { self.buckets = buckets }

    package func put(
        _ path: String, size: UInt64, below url: SourceURL, _ next: (_ most: Int) throws -> [UInt8]?
    ) async throws {
        let location = try url.location()
        let key = try Self.key(of: path, below: location)
        // A prefix may lie above the server's own data, the object not in it.
        let service = try buckets.service(
            of: S3Location(bucket: location.bucket, key: key, region: location.region), isPrefix: false)
        let size = Int(clamping: size)
        guard size > buckets.options.pieceBytes else {
            let body = try Self.fill(size, next)
            return try await buckets.run { _ = try service.put(key, body, S3Terms()) }
        }
        let upload = try await buckets.run { try service.begin(key, S3Terms()) }
        do {
            try await send(upload, size, service, next)
        } catch {
            // A task that was cancelled waits for nothing more.
            buckets.runLater { try service.abort(upload) }
            throw error
        }
    }

    private func send(
        _ upload: S3Upload, _ size: Int, _ service: any S3Service, _ next: (_ most: Int) throws -> [UInt8]?
    ) async throws {
        let part = S3Limits.part(of: size, least: buckets.options.pieceBytes)
        var etags: [String] = []
        for start in stride(from: 0, to: size, by: part) {
            let body = try Self.fill(min(part, size - start), next)
            let number = etags.count + 1
            etags.append(try await buckets.run { try service.upload(upload, part: number, body) })
        }
        let all = etags
        try await buckets.run { try service.complete(upload, all) }
    }

    /// Exactly so many bytes.
    private static func fill(_ count: Int, _ next: (_ most: Int) throws -> [UInt8]?) throws -> ByteBuffer {
        var body = ByteBuffer()
        body.reserveCapacity(count)
        while body.readableBytes < count, let piece = try next(min(count - body.readableBytes, 1 << 20)) {
            body.writeBytes(piece)
        }
        guard body.readableBytes == count else { throw SpileError.bug("a file ends before its \(count) bytes are out") }
        return body
    }

    /// `a/b` below `out` and below `out/` is `out/a/b`.
    static func key(of path: String, below location: S3Location) throws -> String {
        let relative = path.drop { $0 == "/" }
        let key = location.prefix + relative
        guard key.utf8.count <= S3Location.mostKey else {
            throw SpileError.invalid(
                "\(path) would get a key of \(key.utf8.count) bytes, and S3 allows \(S3Location.mostKey)",
                remedy: "give it a shorter path, or name a shorter prefix")
        }
        return key
    }
}
