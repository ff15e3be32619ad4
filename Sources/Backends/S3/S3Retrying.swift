import Core
import NIOCore

/// How often a call is made, and how long to wait in between.
package struct S3RetryPolicy: Sendable {
    /// Calls altogether, the first included.
    package var tries = 6
    /// Seconds before the second call; doubled each time.
    package var firstPause = 0.1
    /// Seconds, at most.
    package var longestPause = 5.0

    package init() {}
}

/// Makes calls again that failed with `unavailable`, after growing pauses of random length. All other errors are the
/// caller's.
///
/// A call that failed that way may have been done. Reads, removals, parts and puts without a condition do no harm when
/// made twice. A put on a condition, and the end of an upload, would meet their own work: each gets a token of its own,
/// and where the second call is refused a look at the object tells whether it is the first one's. What was begun twice
/// (an upload in parts) leaves one without an end, which ``S3Store`` clears away a day later.
package struct S3Retrying: S3Service {
    private let base: any S3Service
    private let policy: S3RetryPolicy
    private let randomness: any Randomness
    private let pause: @Sendable (_ seconds: Double) throws -> Void

    /// `pause` blocks the thread for so many seconds; what it throws ends the call.
    package init(
        _ base: any S3Service, policy: S3RetryPolicy = S3RetryPolicy(), randomness: any Randomness,
        pause: @escaping @Sendable (_ seconds: Double) throws -> Void
    ) {
        self.base = base
        self.policy = policy
        self.randomness = randomness
        self.pause = pause
    }

    package func address(of key: String) -> String { base.address(of: key) }

    // MARK: Trying

    /// `body` is told whether an earlier call may have been done.
    private func trying<Result>(_ body: (_ isDoubtful: Bool) throws -> Result) throws -> Result {
        var longest = policy.firstPause
        var tried = 1
        while true {
            do {
                return try body(tried > 1)
            } catch let error as SpileError where error.code == .unavailable && tried < policy.tries {
                // From half of it to all of it: servers that failed together do not come back together.
                try pause(longest * (0.5 + randomness.fraction() / 2))
                longest = min(longest * 2, policy.longestPause)
                tried += 1
            } catch let error as SpileError where error.code == .unavailable && tried > 1 {
                throw error.wrapped("tried \(tried) times")
            }
        }
    }

    private func marked(_ terms: S3Terms) -> S3Terms {
        guard terms.token == nil else { return terms }
        let words = [randomness.next(), randomness.next()]
        return S3Terms(terms.condition, token: words.map { String($0, radix: 36) }.joined(separator: "x"))
    }

    /// Runs a step that cannot be done twice. Refused after a call that may have been done, it counts as done if the
    /// object is the one with this token.
    private func once<Result>(
        _ key: String, _ token: String?, _ body: () throws -> Result, found: (S3Head) -> Result
    ) throws -> Result {
        try trying { isDoubtful in
            do {
                return try body()
            } catch let error as SpileError where isDoubtful && Self.refusals.contains(error.code) {
                let head: S3Head
                do { head = try base.head(key) } catch let other as SpileError where other.code == .notFound {
                    throw error
                }
                guard let token, head.token == token else { throw error }
                return found(head)
            }
        }
    }

    /// How a store refuses what it has done already: the object is there, is another, the upload is gone.
    private static let refusals: Set<SpileError.Code> = [.alreadyExists, .aborted, .notFound]

    // MARK: Calls

    package func put(_ key: String, _ body: ByteBuffer, _ terms: S3Terms) throws -> String {
        let terms = marked(terms)
        if terms.condition == .none { return try trying { _ in try base.put(key, body, terms) } }
        return try once(key, terms.token, { try base.put(key, body, terms) }, found: { $0.etag })
    }

    package func get(_ key: String, _ range: Range<Int>, etag: String?) throws -> ByteBuffer {
        try trying { _ in try base.get(key, range, etag: etag) }
    }

    package func open(_ key: String, most: Int) throws -> S3Opening {
        try trying { _ in try base.open(key, most: most) }
    }

    package func head(_ key: String) throws -> S3Head { try trying { _ in try base.head(key) } }

    package func remove(_ keys: [String]) throws { try trying { _ in try base.remove(keys) } }

    package func list(prefix: String, next: String?) throws -> S3Page {
        try trying { _ in try base.list(prefix: prefix, next: next) }
    }

    package func begin(_ key: String, _ terms: S3Terms) throws -> S3Upload {
        let terms = marked(terms)
        return try trying { _ in try base.begin(key, terms) }
    }

    package func upload(_ upload: S3Upload, part number: Int, _ body: ByteBuffer) throws -> String {
        try trying { _ in try base.upload(upload, part: number, body) }
    }

    package func complete(_ upload: S3Upload, _ parts: [String]) throws {
        try once(upload.key, upload.terms.token, { try base.complete(upload, parts) }, found: { _ in })
    }

    package func abort(_ upload: S3Upload) throws { try trying { _ in try base.abort(upload) } }

    package func uploads(prefix: String) throws -> [S3PendingUpload] {
        try trying { _ in try base.uploads(prefix: prefix) }
    }
}
