import Core
import Synchronization

/// An object store of a test's own. What each put comes to is decided by `answer`, which gets its path and its number
/// since the start; what is put is there whole or not at all.
package final class ScriptedEgress: EgressTarget {
    /// What becomes of a file.
    package enum Answer: Sendable {
        case takes
        case fails(SpileError)
        /// Never ends by itself.
        case hangs
    }

    private struct State {
        var objects: [String: String] = [:]
        var puts = 0
        var answer: @Sendable (_ path: String, _ number: Int) -> Answer = { _, _ in .takes }
    }

    /// Guarded by the mutex.
    private let state = Mutex(State())
    /// The paths of files as they were begun.
    package let begun = ScriptedMailbox<String>()

    package init() {}

    /// Contents by URL and path.
    package var objects: [String: String] { state.withLock { $0.objects } }
    package var puts: Int { state.withLock { $0.puts } }

    package func forget() { state.withLock { $0.objects = [:] } }

    /// Sets what becomes of the files that come from now on.
    package func answer(_ body: @escaping @Sendable (_ path: String, _ number: Int) -> Answer) {
        state.withLock { $0.answer = body }
    }

    package func put(
        _ path: String, size: UInt64, below url: SourceURL, _ next: (_ most: Int) throws -> [UInt8]?
    ) async throws {
        let answer = state.withLock { state in
            state.puts += 1
            return state.answer(path, state.puts)
        }
        begun.put(path)
        switch answer {
        case .takes: break
        case .fails(let error): throw error
        case .hangs:
            let (nothing, continuation) = AsyncStream<Never>.makeStream()
            for await _ in nothing {}
            withExtendedLifetime(continuation) {}
        }
        try Task.checkCancellation()
        var bytes: [UInt8] = []
        while let piece = try next(3) { bytes += piece }
        guard bytes.count == Int(size) else { throw SpileError.bug("\(bytes.count) bytes of \(size) came for \(path)") }
        state.withLock { [bytes] in $0.objects[url.text + path] = String(decoding: bytes, as: UTF8.self) }
    }
}
