import Core
import Synchronization

/// Log files in memory, with faults that a test orders.
package final class ScriptedLogFiles: LogFiles {
    /// Guarded by the lock around it.
    private struct State {
        var folders: [String: [String: [UInt8]]] = [:]
        /// How many bytes further appends may write before they fail; nil for no end.
        var room: Int?
    }

    private let state = Mutex(State())

    package init() {}

    /// The disk takes so many bytes more, then is full; nil mends it.
    package func setRoom(_ bytes: Int?) { state.withLock { $0.room = bytes } }

    /// Cuts the newest file of a folder, as a crash would.
    package func tear(_ folder: String, by bytes: Int) {
        state.withLock { state in
            guard let name = state.folders[folder]?.keys.max() else { return }
            state.folders[folder]?[name]?.removeLast(bytes)
        }
    }

    package func list(_ folder: String) throws -> [(name: String, size: Int)] {
        state.withLock { state in
            (state.folders[folder] ?? [:]).map { ($0.key, $0.value.count) }.sorted { $0.0 < $1.0 }
        }
    }

    package func append(_ bytes: [UInt8], to file: String, in folder: String) throws {
        try state.withLock { state in
            let taken = min(bytes.count, state.room ?? .max)
            state.folders[folder, default: [:]][file, default: []] += bytes[..<taken]
            if let room = state.room { state.room = room - taken }
            if taken < bytes.count { throw SpileError(.resourceExhausted, "no space left") }
        }
    }

    package func read(_ file: String, in folder: String, from offset: Int, limit: Int) throws -> [UInt8] {
        state.withLock { state in
            let bytes = state.folders[folder]?[file] ?? []
            return offset >= bytes.count ? [] : Array(bytes[offset..<min(bytes.count, offset + limit)])
        }
    }

    package func remove(_ file: String, in folder: String) throws {
        state.withLock { $0.folders[folder]?[file] = nil }
    }

    package func removeFolder(_ folder: String) throws { state.withLock { $0.folders[folder] = nil } }
}
