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
    /// `place` is where clients reach it, for the others. To be called once.
    func attend(
        at place: String, heard: @escaping @Sendable (CatalogChanges) -> Void,
        givenUp: @escaping @Sendable () -> Void)

    /// Those that are there, this one among them, by number.
    func present() throws -> [Peer]

    /// Gives up all that are not there any more, and returns the numbers of those that are: every other one writes
    /// nothing from now on. Throws `unavailable` as long as it cannot be told who is there.
    func giveUpAbsent() throws -> Set<UInt64>

    /// Says that this server is not there any more. Blocks shortly.
    func leave()
}

/// One server of several.
package struct Peer: Sendable, Equatable {
    package var number: UInt64
    /// Where clients reach it, `host:port`.
    package var place: String
    /// Whether it is the one that runs code.
    package var leads: Bool

    package init(number: UInt64, place: String, leads: Bool) {
        self.number = number
        self.place = place
        self.leads = leads
    }
}
