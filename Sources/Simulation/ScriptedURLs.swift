import Core
import Synchronization

/// A web of a test's own: each URL gives the pieces that it was told to.
package final class ScriptedURLs: URLSource {
    /// What one URL answers.
    package struct Page: Sendable {
        /// Files by the rest of their path, each in pieces.
        package var files: [(rest: String, pieces: [[UInt8]])]
        /// Thrown after the last piece.
        package var failure: SpileError?

        package init(files: [(rest: String, pieces: [[UInt8]])], failure: SpileError? = nil) {
            self.files = files
            self.failure = failure
        }
    }

    private let pages: [String: Page]
    /// Guarded by the mutex.
    private let asked = Mutex<[String]>([])

    package init(_ pages: [String: Page]) { self.pages = pages }

    /// The URLs that were fetched, in order; `recursive` ones end in a star.
    package var requests: [String] { asked.withLock { $0 } }

    package func fetch(
        _ url: SourceURL, recursive: Bool, _ receive: (_ rest: String, _ bytes: UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        asked.withLock { $0.append(url.text + (recursive ? "*" : "")) }
        guard let page = pages[url.text] else { throw SpileError.notFound("nothing at \(url)") }
        for (rest, pieces) in page.files {
            for piece in pieces {
                await Task.yield()
                try piece.withUnsafeBytes { try receive(rest, $0) }
            }
        }
        if let failure = page.failure { throw failure }
    }
}
