import Core
import Synchronization

/// One piece of work that holds pointers no root need name: a stream of changes, a reading, a batch of the committer.
/// It ends when the last reference to it is let go of, so whoever keeps pointers keeps the activity beside them.
package final class Activity: Sendable {
    package enum Kind: Sendable {
        /// Garbage collection waits for it however long it takes.
        case writer
        /// Garbage collection waits for it up to a grace time.
        case reader
    }

    /// The generation it began in.
    let generation: UInt64
    private let kind: Kind
    private let register: Activities
    /// Tops of the trees it made: any thread may add one.
    private let trees = Mutex<[Pointer]>([])

    fileprivate init(_ kind: Kind, generation: UInt64, in register: Activities) {
        self.kind = kind
        self.generation = generation
        self.register = register
    }

    /// Notes that it made a tree, which may or may not become a commit.
    func made(_ root: Root) {
        if !root.isEmpty { trees.withLock { if $0.last != root.pointer { $0.append(root.pointer) } } }
    }

    deinit { register.ended(kind, generation, trees.withLock { $0 }) }
}

/// Which activities are under way, counted by the generation in which they began. Garbage collection begins a new
/// generation and waits until the older ones are empty (docs/INVARIANTS.md, Garbage). Safe from any thread; all state
/// is guarded by the mutex.
final class Activities: Sendable {
    private struct Count {
        var writers = 0
        var readers = 0
    }

    private struct State {
        var generation: UInt64 = 1
        var alive: [UInt64: Count] = [:]
    }

    private let state = Mutex(State())
    private let collection: CollectionGuard

    init(_ collection: CollectionGuard) { self.collection = collection }

    func begin(_ kind: Activity.Kind) -> Activity {
        let generation = state.withLock { state in
            switch kind {
            case .writer: state.alive[state.generation, default: Count()].writers += 1
            case .reader: state.alive[state.generation, default: Count()].readers += 1
            }
            return state.generation
        }
        return Activity(kind, generation: generation, in: self)
    }

    fileprivate func ended(_ kind: Activity.Kind, _ generation: UInt64, _ trees: [Pointer]) {
        // Told before it counts as ended: who waits for the end finds the trees.
        if !trees.isEmpty { collection.made(trees, by: generation) }
        state.withLock { state in
            switch kind {
            case .writer: state.alive[generation]?.writers -= 1
            case .reader: state.alive[generation]?.readers -= 1
            }
            if let count = state.alive[generation], count.writers == 0, count.readers == 0 {
                state.alive[generation] = nil
            }
        }
    }

    /// Begins a new generation and returns its number: every activity begun before has a lower one.
    func advance() -> UInt64 {
        state.withLock { state in
            state.generation += 1
            return state.generation
        }
    }

    /// Activities of generations before `generation` that are still under way.
    func alive(before generation: UInt64) -> (writers: Int, readers: Int) {
        state.withLock { state in
            state.alive.reduce(into: (0, 0)) { sum, item in
                guard item.key < generation else { return }
                sum.0 += item.value.writers
                sum.1 += item.value.readers
            }
        }
    }
}

extension Store {
    /// Notes that a reading begins: what is read from a commit found after this stays there until the activity ends, or
    /// until a grace time is over. Begin it before looking the commit up.
    package func beginReading() -> Activity { slots.activities.begin(.reader) }

    /// Notes that work begins which puts pointers it holds into commits. Begin it before looking for what it refers to.
    package func beginWriting() -> Activity { slots.activities.begin(.writer) }
}
