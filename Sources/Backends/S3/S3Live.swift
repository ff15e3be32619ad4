import Synchronization

/// The writers and readers of this process that are alive, by the names of their objects. It keeps none of them alive.
/// Safe from any thread; `state` is guarded by its mutex, and no reference is let go of while that is held.
final class S3Live: Sendable {
    private struct Weak<Value: AnyObject> {
        weak var value: Value?
    }

    private struct State {
        var writers: [String: Weak<S3Writer>] = [:]
        var readers: [String: [Weak<S3Reader>]] = [:]
        /// Entries added since the dead ones were last cleared away.
        var added = 0
    }

    private static let mostAdded = 1024

    private let state = Mutex(State())

    func writer(_ name: String) -> S3Writer? { state.withLock { $0.writers[name]?.value } }

    func add(_ writer: S3Writer, _ name: String) { state.withLock { $0.writers[name] = Weak(value: writer) } }

    func ended(_ name: String) { state.withLock { $0.writers[name] = nil } }

    func readers(_ name: String) -> [S3Reader] { state.withLock { $0.readers[name, default: []].compactMap(\.value) } }

    func add(_ reader: S3Reader, _ name: String) {
        // What is found alive on the way is let go of behind the lock.
        let alive = state.withLock { state -> [any Sendable] in
            state.readers[name, default: []].append(Weak(value: reader))
            state.added += 1
            guard state.added >= Self.mostAdded else { return [] }
            state.added = 0
            return Self.clear(&state)
        }
        withExtendedLifetime(alive) {}
    }

    private static func clear(_ state: inout State) -> [any Sendable] {
        var alive: [any Sendable] = []
        for (name, readers) in state.readers {
            let found = readers.compactMap(\.value)
            alive += found
            state.readers[name] = found.isEmpty ? nil : found.map { Weak(value: $0) }
        }
        for (name, writer) in state.writers {
            if let found = writer.value { alive.append(found) } else { state.writers[name] = nil }
        }
        return alive
    }
}
