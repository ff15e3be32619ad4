/// What other servers on the same catalog have changed.
package enum CatalogChanges: Sendable, Equatable {
    /// Something about these repos, or what else a number of the events' channels stands for; nothing, if empty.
    case about(Set<Int64>)
    /// It cannot be told any more: anything may have changed.
    case anything

    package var isEmpty: Bool { self == .about([]) }
}

/// The servers that share one catalog and one store, as one of them sees them.
///
/// A server that does not say for some seconds that it is there is given up by those that need what it held: it writes
/// nothing to the catalog any more, whatever it still believes, and has to be started anew.
package protocol Peers: Leadership {
    /// This server's number, from 1 on: none that opened the catalog before or after it has the same.
    var number: UInt64 { get }

    /// Begins to say that this server is there, and to hear of the others. `heard` is called from a thread of its own
    /// for every change that another one made, soon after it is durable; what was missed while the catalog could not be
    /// reached comes as ``CatalogChanges/anything``. `givenUp` is called once, if the others give this server up.
    ///
    /// `collecting` is called once at the beginning, and whenever the collection of garbage in the common store takes
    /// another step. `place` is where clients reach this server, for the others. To be called once.
    func attend(
        at place: String, heard: @escaping @Sendable (CatalogChanges) -> Void,
        collecting: @escaping @Sendable (SharedCollection) -> Void, givenUp: @escaping @Sendable () -> Void)

    /// The numbers of those that are there, this one's among them.
    func present() throws -> Set<UInt64>

    /// Gives up all that are not there any more, and returns the numbers of those that are: every other one writes
    /// nothing from now on. Throws `unavailable` as long as it cannot be told who is there.
    func giveUpAbsent() throws -> Set<UInt64>

    /// Begins a collection of garbage in the common store, at the step ``SharedCollection/Step/noting``. Throws
    /// `unavailable` while another server's is under way. One whose server was lost is taken over.
    func beginCollection() throws -> SharedCollection
    /// Takes the next step. Throws `aborted` if the collection is not this server's any more.
    func step(_ collection: SharedCollection, to step: SharedCollection.Step) throws -> SharedCollection
    /// What the others have made up to this step, once all that are there have answered it; nil before that.
    func answers(to collection: SharedCollection) throws -> [Pointer]?
    /// Answers a step of another server's collection: the tops of trees that were made here and may be in no commit
    /// yet.
    func answer(_ collection: SharedCollection, made: [Pointer]) throws

    /// Says that this server is not there any more. Blocks shortly.
    func leave()
}

/// A collection of garbage in a store that several servers use: all of them take part.
package struct SharedCollection: Sendable, Equatable {
    package enum Step: Int64, Sendable, Comparable {
        /// None is under way.
        case over = 0
        /// Whoever is asked gives out no chunk by its hash any more, and notes what trees are made.
        case noting = 1
        /// The roots were listed: work begun before that is waited for.
        case waiting = 2
        /// It is decided what is dead.
        case sweeping = 3

        package static func < (left: Step, right: Step) -> Bool { left.rawValue < right.rawValue }
    }

    package var number: Int64
    package var step: Step
    /// The server that collects.
    package var collector: UInt64

    package init(number: Int64, step: Step, collector: UInt64) {
        self.number = number
        self.step = step
        self.collector = collector
    }
}
