import Core

/// Other servers on the same catalog and store.
extension History {
    /// The other servers; nil where this one has its catalog for itself.
    package var peers: (any Peers)? { catalog.peers }

    /// Says to the others that this server is there, where clients reach it at `place`, and hears of what they change.
    /// `givenUp` is called once if they give this server up: it writes nothing from then on and is to be started anew.
    /// To be called once; does nothing where there are no others.
    package func attend(at place: String, givenUp: @escaping @Sendable () -> Void) {
        guard let peers, let follower else { return }
        peers.attend(
            at: place, heard: { [weak self] in self?.heard($0) }, collecting: { follower.follow($0) }, givenUp: givenUp)
    }

    /// What is durable elsewhere is news here, too. On the thread of the peers.
    private func heard(_ changes: CatalogChanges) {
        switch changes {
        case .about(let repos):
            if repos.contains(EventHub.access) { try? followAuth() }
            events.publish(repos: repos)
        case .anything:
            try? followAuth()
            events.publishAll()
        }
    }
}
