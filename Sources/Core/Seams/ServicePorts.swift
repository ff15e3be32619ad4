/// Makes ports on which pipelines' code listens reachable from outside. Safe from any task.
package protocol ServicePorts: Sendable {
    /// Lets `exposure` be reached until it is closed, in place of what its pipeline had open. Returns once it can be.
    ///
    /// Throws `unavailable` where the port is taken, `permissionDenied` where this process may not open it; both may be
    /// tried again once that has changed.
    func open(_ exposure: Exposure) async throws

    /// Ends what a pipeline has open, with every connection; nothing open is no error. Takes effect at once, also for
    /// an ``open(_:)`` under way.
    func close(_ pipeline: PipelineKey)
}

/// A port of a pipeline's code, and where others find it.
package struct Exposure: Sendable, Equatable {
    package var pipeline: PipelineKey
    /// Where the code listens on this machine.
    package var internalPort: Int
    /// Where others connect.
    package var externalPort: Int
    /// Whether only programs on this machine may connect.
    package var isLocal: Bool

    package init(pipeline: PipelineKey, internalPort: Int, externalPort: Int, isLocal: Bool) {
        self.pipeline = pipeline
        self.internalPort = internalPort
        self.externalPort = externalPort
        self.isLocal = isLocal
    }
}
