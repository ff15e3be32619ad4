import Core
import Synchronization

/// An object being written: its bytes are in a spool file, what was synced also in the bucket. Writing belongs to one
/// owner; `state` is guarded by its mutex, because any thread may read.
final class S3Writer: WritableObject {
    private struct State {
        /// Bytes written, bytes that survive this machine.
        var end: Int
        var synced: Int
        /// What there is of it in the bucket, besides its beginning.
        var keys: [String]
        var isBroken = false
    }

    private let name: String
    private let base: S3Base
    private let file: SpoolFile
    private let state: Mutex<State>
    /// Called once it has its end.
    private let ended: @Sendable () -> Void

    /// `file` holds the `synced` bytes that are in the bucket under `keys`; the object is `size` bytes long.
    init(
        _ name: String, base: S3Base, file: SpoolFile, size: Int, synced: Int, keys: [String],
        ended: @escaping @Sendable () -> Void
    ) {
        self.name = name
        self.base = base
        self.file = file
        self.ended = ended
        state = Mutex(State(end: size, synced: synced, keys: keys))
    }

    private func current() throws -> State {
        let state = state.withLock { $0 }
        if state.isBroken { throw SpileError.bug("\(name) was used after a failed write or sync") }
        return state
    }

    /// Runs a step after whose failure the object must not be used any more.
    private func breaking<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch {
            state.withLock { $0.isBroken = true }
            throw error
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        let now = try current()
        guard offset >= now.synced else {
            throw SpileError.bug("bytes at \(offset) of \(name) were synced already, up to \(now.synced)")
        }
        try breaking { try file.write(bytes, at: offset) }
        state.withLock { $0.end = max($0.end, offset + bytes.count) }
    }

    /// The bytes written since the last sync become objects of their own (I1). Each is put on condition that it is not
    /// there: a request that was given up and still comes through later cannot undo one that was acknowledged.
    func sync() throws {
        let now = try current()
        guard now.end > now.synced else { return }
        let starts = Array(stride(from: now.synced, to: now.end, by: base.options.extentBytes))
        let keys = starts.map { base.names.extent(name, $0) }
        // Known before they are there: whatever comes of it, the end of the object clears them away.
        state.withLock { $0.keys += keys }
        try breaking {
            try Parallel.forEach(starts.count, width: base.options.width) { [base, file] index in
                let range = starts[index]..<min(starts[index] + base.options.extentBytes, now.end)
                try base.budget.with(range.count) {
                    _ = try base.service.put(keys[index], try file.bytes(range), S3Terms(.absent))
                }
            }
        }
        state.withLock { $0.synced = now.end }
    }

    func finish(size: Int, as final: String) throws {
        let now = try current()
        let key = base.names.object(final)
        let end = base.names.end(name, as: final)
        try breaking {
            guard try base.service.exists(key) == false else { throw taken(key) }
            _ = try base.service.put(end, .init(), S3Terms())
            let etag: String
            do {
                etag = try base.write(file, size: size, to: key, on: .absent)
            } catch let error as SpileError where error.code == .alreadyExists {
                // Else the next start would take the object of another for the end of this one.
                try? base.service.removeAll([end])
                throw taken(key)
            }
            // It is durable, and hides what is left of the unfinished one: the next start clears that away.
            try? base.remove(name, rest: now.keys + [end])
            base.keep(file, size: size, as: base.cacheName(key, etag))
        }
        ended()
    }

    private func taken(_ key: String) -> SpileError {
        SpileError(.alreadyExists, "\(base.service.address(of: key)) exists already")
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try file.read(into: buffer, at: offset)
    }

    /// What was written so far, open for reading.
    func reader() -> SpoolReader { SpoolReader(file, size: state.withLock { $0.end }) }
}

extension S3Service {
    func exists(_ key: String) throws -> Bool {
        do {
            _ = try head(key)
            return true
        } catch let error as SpileError where error.code == .notFound {
            return false
        }
    }
}
