import AsyncHTTPClient
import Core
import NIOCore

/// The first bytes of an object, and what the others are asked for with.
package struct S3Opening: Sendable {
    /// All of a small object.
    package var bytes: ByteBuffer
    /// Bytes of the whole.
    package var size: Int
    package var etag: String
}

extension S3Client {
    package func open(_ key: String, most: Int) throws -> S3Opening {
        let action = "read \(address(of: key))"
        var request = S3Request(method: "GET", key: key)
        request.set("range", "bytes=0-\(most - 1)")
        let response: HTTPClient.Response
        do { response = try send(request, to: action, most: most) } catch let error as SpileError {
            // No range lies within an object without bytes.
            guard error.code == .invalidArgument, let head = try? head(key), head.size == 0 else { throw error }
            return S3Opening(bytes: ByteBuffer(), size: 0, etag: head.etag)
        }
        let bytes = response.body ?? ByteBuffer()
        let etag = try header("etag", of: response, action)
        let whole = response.status == .partialContent ? try size(of: response, action) : bytes.readableBytes
        guard bytes.readableBytes == min(whole, most) else {
            throw SpileError(
                .unavailable, "cannot \(action): \(bytes.readableBytes) bytes came instead of \(min(whole, most))")
        }
        return S3Opening(bytes: bytes, size: whole, etag: etag)
    }

    /// Bytes of the object that a part came of, which begins at its beginning.
    private func size(of response: HTTPClient.Response, _ action: String) throws -> Int {
        let place = try header("content-range", of: response, action)
        guard place.hasPrefix("bytes 0-"), let size = place.split(separator: "/").last.flatMap({ Int($0) }) else {
            throw SpileError(.unavailable, "cannot \(action): \"\(place)\" came instead of its beginning")
        }
        return size
    }
}
