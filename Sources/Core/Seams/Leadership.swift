/// Says which one of several servers leads: that one alone does what only one may do.
package protocol Leadership: Sendable {
    /// Returns when this server leads; throws CancellationError.
    func acquire() async throws
    /// Returns when leadership was lost.
    func lost() async throws
}
