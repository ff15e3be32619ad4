import Core
import NIOCore

/// Objects of S3 stores by `s3://bucket/key`, and all whose keys begin with it.
struct S3URLs: Sendable {
    let buckets: S3Buckets

    /// How many objects of a page are opened before their turn: a small one costs its way to the store and back, which
    /// many can go at once.
    private static let ahead = 16

    /// See ``URLSource/fetch(_:recursive:_:)``.
    func fetch(
        _ url: SourceURL, recursive: Bool, _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        let location = try url.location()
        let bucket = Bucket(service: try buckets.service(of: location, isPrefix: recursive), buckets: buckets)
        if recursive { return try await fetchAll(location, of: bucket, receive) }
        guard !location.key.isEmpty else {
            throw SpileError.invalid(
                "\(url) names a bucket and no object", remedy: "name one, or ask for all of them: put file -r")
        }
        let object: S3Opening
        do {
            object = try await bucket.open(location.key)
        } catch let error as SpileError where error.code == .notFound {
            throw SpileError(
                .notFound, error.message, remedy: "all objects whose keys begin so are asked for with put file -r")
        }
        try await bucket.send(object, location.key) { try receive("", $0) }
    }

    private func fetchAll(
        _ location: S3Location, of bucket: Bucket,
        _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        var (next, isEmpty): (String?, Bool) = (nil, true)
        repeat {
            let page = try await bucket.page(location.key, after: next)
            let items = page.items.filter { !Self.isFolder($0) }
            isEmpty = isEmpty && items.isEmpty
            try await send(items, of: bucket) { try receive(Self.rest(of: $0, behind: location.key), $1) }
            next = page.next
        } while next != nil
        if isEmpty {
            throw SpileError.notFound("no object of bucket \(location.bucket) begins with \"\(location.key)\"")
        }
    }

    /// The objects one after the other; some are opened before their turn.
    private func send(
        _ items: [S3Item], of bucket: Bucket,
        _ receive: (_ key: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (number: Int, object: S3Opening).self) { group in
            var begun = 0
            var opened: [Int: S3Opening] = [:]
            for (number, item) in items.enumerated() {
                while begun < min(items.count, number + Self.ahead) {
                    let (next, key) = (begun, items[begun].key)
                    group.addTask { (next, try await bucket.open(key)) }
                    begun += 1
                }
                while opened[number] == nil, let other = try await group.next() { opened[other.number] = other.object }
                guard let object = opened.removeValue(forKey: number) else { throw CancellationError() }
                try await bucket.send(object, item.key) { try receive(item.key, $0) }
            }
        }
    }

    /// What tools leave to show a folder that is empty.
    private static func isFolder(_ item: S3Item) -> Bool { item.size == 0 && FilePath.endsInSeparator(item.key) }

    /// What a key has behind its prefix, with a `/` in front where the prefix ends in one.
    static func rest(of key: String, behind prefix: String) -> String {
        let rest = String(decoding: key.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
        return prefix.isEmpty || FilePath.endsInSeparator(prefix) ? "/" + rest : rest
    }

    /// One bucket, whose calls hold no thread of their caller.
    private struct Bucket: Sendable {
        let service: any S3Service
        let buckets: S3Buckets

        func page(_ prefix: String, after next: String?) async throws -> S3Page {
            try await buckets.run { try service.page(prefix: prefix, after: next) }
        }

        func open(_ key: String) async throws -> S3Opening {
            try await buckets.run { try service.open(key, most: buckets.options.firstBytes) }
        }

        /// All bytes of an object that was opened, a piece at a time; `aborted` if it is another one by then.
        func send(
            _ object: S3Opening, _ key: String, _ receive: (UnsafeRawBufferPointer) throws -> Void
        ) async throws {
            try object.bytes.withUnsafeReadableBytes(receive)
            var position = object.bytes.readableBytes
            while position < object.size {
                let range = position..<min(position + buckets.options.pieceBytes, object.size)
                let piece = try await buckets.run { try service.get(key, range, etag: object.etag) }
                try piece.withUnsafeReadableBytes(receive)
                position = range.upperBound
            }
        }
    }
}
