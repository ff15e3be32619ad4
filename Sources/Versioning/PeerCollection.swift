import Core
import Foundation
import Storage
import Synchronization

/// The other servers' part in a collection of garbage that this one runs (docs/INVARIANTS.md, Garbage). One owner.
final class PeerCollection {
    private let peers: any Peers
    private var collection: SharedCollection
    private let pause: (Double) throws -> Void
    /// Who has noted what is made.
    private var noting: Set<UInt64> = []

    /// Throws `unavailable` while another server collects.
    init(_ peers: any Peers, pause: @escaping (Double) throws -> Void) throws {
        self.peers = peers
        self.pause = pause
        collection = try peers.beginCollection()
    }

    /// Waits until all others have taken the first step.
    func begin() throws {
        _ = try agree()
        noting = try peers.present()
    }

    /// Has the others begin to wait for their older work.
    func listed() throws { collection = try peers.step(collection, to: .waiting) }

    /// Returns what the others have made once none of their older work is left.
    ///
    /// Throws `unavailable` where one of them has left since it began to note: what it noted is lost.
    func waited() throws -> [Pointer] {
        let made = try agree()
        guard try noting.isSubset(of: peers.present()) else {
            throw SpileError(.unavailable, "a server left while garbage was collected", remedy: "retry")
        }
        return made
    }

    private func agree() throws -> [Pointer] {
        var rest = 0.01
        while true {
            if let made = try peers.answers(to: collection) { return made }
            try pause(rest)
            rest = min(1, rest * 1.5)
        }
    }

    /// Before something is removed. Throws `aborted` if another server has taken over.
    func require() throws { collection = try peers.step(collection, to: .sweeping) }

    /// As long as the catalog cannot be told, the others give out no chunks: tries until it can, or it is to stop.
    func end() {
        while true {
            do {
                _ = try peers.step(collection, to: .over)
                return
            } catch let error as SpileError where error.code == .aborted {
                return
            } catch {
                do { try pause(1) } catch { return }
            }
        }
    }
}

/// Takes part in the collections that other servers run. Steps come one after the other, on any thread; work that takes
/// long is done on a queue of its own.
final class CollectionFollower: Sendable {
    private let store: Store
    private let peers: any Peers
    private let queue = DispatchQueue(label: "collection")
    private let newest = Mutex<SharedCollection?>(nil)
    /// Seconds that readers of deleted commits are waited for.
    private static let readerGrace = GarbageOptions().readerGrace

    init(_ store: Store, _ peers: any Peers) {
        self.store = store
        self.peers = peers
        // Until it is known that nobody collects.
        store.suspendKnownChunks()
    }

    func follow(_ collection: SharedCollection) {
        newest.withLock { $0 = collection }
        queue.async { [self] in if isNewest(collection) { take(collection) } }
    }

    private func isNewest(_ collection: SharedCollection) -> Bool { newest.withLock { $0 == collection } }

    private func take(_ collection: SharedCollection) {
        // What this server collects itself it guards itself.
        let isOwn = collection.collector == peers.number
        switch collection.step {
        case .over: if isOwn { store.resumeKnownChunks() } else { store.leaveCollection() }
        case .sweeping: break
        case .noting:
            if isOwn { return }
            store.joinCollection()
            answer(collection, made: [])
        case .waiting:
            if isOwn { return }
            wait(for: collection)
        }
    }

    private func wait(for collection: SharedCollection) {
        let generation = store.listedElsewhere()
        var (waited, rest) = (0.0, 0.01)
        while isNewest(collection) {
            let (writers, readers) = store.awaited(before: generation)
            if writers == 0 && (readers == 0 || waited >= Self.readerGrace) {
                return answer(collection, made: store.treesMade)
            }
            Thread.sleep(forTimeInterval: rest)
            waited += rest
            rest = min(1, rest * 1.5)
        }
    }

    private func answer(_ collection: SharedCollection, made: [Pointer]) {
        while isNewest(collection) {
            do { return try peers.answer(collection, made: made) } catch { Thread.sleep(forTimeInterval: 1) }
        }
    }
}
