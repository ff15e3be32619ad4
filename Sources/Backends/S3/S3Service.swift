import Core
import NIOCore

/// The calls on one bucket that a store is built of. All are synchronous, block, and may come from any thread at once.
///
/// Errors are ``SpileError``: `notFound` (no such object), `alreadyExists` (a put on condition that there is none),
/// `aborted` (another object is there than the one meant: read again), `permissionDenied`, `failedPrecondition` (no
/// such bucket, wrong region), `resourceExhausted` (the store is full), `invalidArgument`, `unimplemented` (this store
/// has no such call), and `unavailable`: only then does the same call made again help, and only then it is not known
/// whether the call was done.
package protocol S3Service: Sendable {
    /// What names a key in errors.
    func address(of key: String) -> String

    /// Makes an object or replaces it, in one atomic step. Gives its ETag.
    func put(_ key: String, _ body: ByteBuffer, _ terms: S3Terms) throws -> String

    /// The bytes of a range that lies within the object. With `etag`, throws `aborted` unless it is that object.
    func get(_ key: String, _ range: Range<Int>, etag: String?) throws -> ByteBuffer

    /// The first bytes of an object, `most` at most, with its size and its ETag: one request for a small object.
    func open(_ key: String, most: Int) throws -> S3Opening

    func head(_ key: String) throws -> S3Head

    /// Removes objects, up to ``S3Limits/keysOfRemoval``; those that are not there are no error. Not atomic.
    func remove(_ keys: [String]) throws

    /// A page of the objects whose keys begin with `prefix`, in the order of the keys' bytes. `next` is that of the
    /// page before, nil for the first.
    func list(prefix: String, next: String?) throws -> S3Page

    /// Begins an upload in parts. Nothing is there until ``complete(_:_:_:)``; the parts are kept until then or until
    /// ``abort(_:)``. The terms' condition counts for the completion.
    func begin(_ key: String, _ terms: S3Terms) throws -> S3Upload

    /// Sends part `number` (from 1): at least ``S3Limits/leastPart`` bytes, unless it is the last. Gives its ETag.
    func upload(_ upload: S3Upload, part number: Int, _ body: ByteBuffer) throws -> String

    /// Makes the object of all parts, named by their ETags in order, in one atomic step.
    func complete(_ upload: S3Upload, _ parts: [String]) throws

    /// Gives an upload up; one that is not there is no error.
    func abort(_ upload: S3Upload) throws

    /// Uploads in parts that were begun and have no end yet: a page of them, the first.
    func uploads(prefix: String) throws -> [S3PendingUpload]
}

/// Bounds that S3 sets.
package enum S3Limits {
    /// Keys in one call of removal.
    package static let keysOfRemoval = 1000
    /// Parts of an upload.
    package static let parts = 10_000
    /// Bytes of each part but the last.
    package static let leastPart = 5 << 20

    /// Bytes of a part of an object of `size`, at least so many: not more parts than there may be.
    static func part(of size: Int, least: Int) -> Int { max(least, (size + parts - 1) / parts) }
}

/// On which condition an object is written, and what it is known by later.
package struct S3Terms: Sendable, Equatable {
    package enum Condition: Sendable, Equatable {
        case none
        /// There is no object of that key (`If-None-Match: *`).
        case absent
        /// The object of that key has this ETag (`If-Match`).
        case matches(String)
    }

    package var condition: Condition
    /// Kept with the object: whoever wrote it knows it again by that. Letters and digits.
    package var token: String?

    package init(_ condition: Condition = .none, token: String? = nil) {
        self.condition = condition
        self.token = token
    }
}

/// An object without its bytes.
package struct S3Head: Sendable, Equatable {
    /// Bytes.
    package var size: Int
    /// With its quotes, as the store gives and takes it.
    package var etag: String
    /// ``S3Terms/token`` of whoever wrote it.
    package var token: String?
}

/// An object as listed; `size` in bytes.
package struct S3Item: Sendable, Equatable {
    package var key: String
    package var size: Int
}

package struct S3Page: Sendable, Equatable {
    package var items: [S3Item]
    /// What the next page is asked with; nil at the end.
    package var next: String?
}

/// An upload in parts.
package struct S3Upload: Sendable, Equatable {
    package var key: String
    package var id: String
    package var terms = S3Terms()
}

/// An upload in parts that has no end yet.
package struct S3PendingUpload: Sendable, Equatable {
    package var upload: S3Upload
    /// As the store writes it, `2013-05-24T00:00:00.000Z`: texts of this form sort as their times do.
    package var begun: String
}

extension S3Service {
    /// A page behind another one, and never that one again.
    func page(prefix: String, after next: String?) throws -> S3Page {
        let page = try list(prefix: prefix, next: next)
        guard page.next == nil || page.next != next else {
            throw SpileError(.unavailable, "the list of \(address(of: prefix)) does not go on")
        }
        return page
    }

    /// All objects whose keys begin with `prefix`, page by page.
    func forEach(prefix: String, _ body: (S3Item) throws -> Void) throws {
        var next: String?
        repeat {
            let page = try page(prefix: prefix, after: next)
            for item in page.items { try body(item) }
            next = page.next
        } while next != nil
    }

    /// Removes any number of objects.
    func removeAll(_ keys: [String]) throws {
        var rest = keys[...]
        while !rest.isEmpty {
            try remove(Array(rest.prefix(S3Limits.keysOfRemoval)))
            rest = rest.dropFirst(S3Limits.keysOfRemoval)
        }
    }
}
