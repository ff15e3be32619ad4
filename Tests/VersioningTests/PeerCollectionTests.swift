import Core
import Synchronization
import Testing

@testable import Versioning

/// What the server that collects garbage asks of the others.
@Suite(.timeLimit(.minutes(15))) struct PeerCollectionTests {
    private final class Peers: Core.Peers {
        struct State {
            var present: Set<UInt64> = [1, 2]
            var answers: [[Pointer]?] = []
            var steps: [SharedCollection.Step] = []
            /// Steps that are not written down before one is.
            var failures: [SpileError] = []
        }

        let state = Mutex(State())
        let number: UInt64 = 1

        func acquire() async throws {}
        func lost() async throws {}
        func attend(
            at place: String, heard: @escaping @Sendable (CatalogChanges) -> Void,
            collecting: @escaping @Sendable (SharedCollection) -> Void, givenUp: @escaping @Sendable () -> Void
        ) {}
        func present() throws -> Set<UInt64> { state.withLock { $0.present } }
        func giveUpAbsent() throws -> Set<UInt64> { try present() }
        func beginCollection() throws -> SharedCollection {
            SharedCollection(number: 1, step: .noting, collector: number)
        }
        func step(_ collection: SharedCollection, to step: SharedCollection.Step) throws -> SharedCollection {
            try state.withLock { state in
                if let failure = state.failures.popLast() { throw failure }
                state.steps.append(step)
                return SharedCollection(number: 1, step: step, collector: number)
            }
        }
        func answers(to collection: SharedCollection) throws -> [Pointer]? {
            state.withLock { $0.answers.isEmpty ? [] : $0.answers.removeFirst() }
        }
        func answer(_ collection: SharedCollection, made: [Pointer]) throws {}
        func leave() {}
    }

    @Test func `each step is waited for, and what was made is told`() throws {
        let peers = Peers()
        let made = Pointer(segment: 7, slot: 1)
        peers.state.withLock { $0.answers = [nil, nil, [], nil, [made]] }
        var pauses = 0
        let collection = try PeerCollection(peers) { _ in pauses += 1 }
        try collection.begin()
        #expect(pauses == 2)
        try collection.listed()
        #expect(try collection.waited() == [made])
        #expect(pauses == 3)
        try collection.require()
        collection.end()
        #expect(peers.state.withLock { $0.steps } == [.waiting, .sweeping, .over])
    }

    @Test func `one that leaves with what it has noted ends it, one that comes does not`() throws {
        let peers = Peers()
        let collection = try PeerCollection(peers) { _ in }
        try collection.begin()
        try collection.listed()
        peers.state.withLock { $0.present = [1, 2, 3] }
        #expect(try collection.waited() == [])
        peers.state.withLock { $0.present = [1, 3] }
        let error = #expect(throws: SpileError.self) { _ = try collection.waited() }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "a server left while garbage was collected")
    }

    @Test func `an end that cannot be told is told later, unless it is another's by then or this server stops`()
        throws
    {
        let gone = SpileError(.unavailable, "no catalog")
        let peers = Peers()
        peers.state.withLock { $0.failures = [gone, gone] }
        var pauses = 0
        try PeerCollection(peers) { _ in pauses += 1 }.end()
        #expect(pauses == 2)
        #expect(peers.state.withLock { $0.steps } == [.over])
        peers.state.withLock { $0.failures = [SpileError(.aborted, "taken over")] }
        try PeerCollection(peers) { _ in pauses += 1 }.end()
        peers.state.withLock { $0.failures = [gone] }
        try PeerCollection(peers) { _ in throw CancellationError() }.end()
        #expect(pauses == 2)
        #expect(peers.state.withLock { $0.steps } == [.over])
    }
}
