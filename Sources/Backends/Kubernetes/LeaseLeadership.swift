import Core
import Synchronization

/// Leadership by a Lease. A lead that is lost is over at once; another server may begin `duration - deadline` seconds
/// later. To give it up, cancel the task that waits in ``lost()``: the next server may then begin at once.
package final class LeaseLeadership: Leadership {
    private let leader: KubernetesLeader
    /// Stands for the Lease from the first try on until the lead is lost or given up.
    private let term = Mutex<Task<Void, Never>?>(nil)

    /// One task at a time may wait in either call.
    package init(_ leader: KubernetesLeader) { self.leader = leader }

    /// Failures of the API server are waited out.
    package func acquire() async throws {
        await end()
        let begun = OneShot<Bool>()
        let task = Task { [leader] in
            _ = try? await leader.lead {
                begun.send(true)
                // Ends with its task alone.
                let (stream, end) = AsyncStream<Never>.makeStream()
                defer { end.finish() }
                for await _ in stream {}
                throw CancellationError()
            }
            begun.send(false)
        }
        term.withLock { $0 = task }
        let leads = await withTaskCancellationHandler { await begun.wait() } onCancel: { task.cancel() }
        if leads == true, !Task.isCancelled { return }
        await end()
        throw CancellationError()
    }

    package func lost() async throws {
        guard let task = term.withLock({ $0 }) else { return }
        await withTaskCancellationHandler { await task.value } onCancel: { task.cancel() }
        term.withLock { $0 = nil }
        try Task.checkCancellation()
    }

    private func end() async {
        let task = term.withLock { term in
            defer { term = nil }
            return term
        }
        task?.cancel()
        await task?.value
    }
}
