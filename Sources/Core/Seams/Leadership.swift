/// Which of several servers does what one alone may do: run code, make ticks, collect garbage.
package protocol Leadership: Sendable {
    /// Returns when this server leads; throws `CancellationError` when the task is cancelled.
    func acquire() async throws
    /// Returns when this server leads no more; throws `CancellationError` when the task is cancelled.
    func lost() async throws
}
