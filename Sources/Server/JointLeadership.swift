import Core
import Synchronization

/// Two that have to agree: the one is asked for when the other is had, by all servers in the same order. Whoever has
/// the first and does not get the second in time gives the first back for a while, so that others may try.
final class JointLeadership: Leadership {
    private let first: any Leadership
    private let second: any Leadership
    private let sleep: @Sendable (Double) async throws -> Void
    /// Lasts as long as the first one leads; cancelled, it gives that back.
    private let term = Mutex<Task<Void, any Error>?>(nil)

    /// Seconds: for the second, and then for the others.
    static let patience = 30.0
    static let pause = 15.0

    init(
        first: any Leadership, second: any Leadership,
        sleep: @escaping @Sendable (Double) async throws -> Void = { try await Task.sleep(for: .seconds($0)) }
    ) {
        self.first = first
        self.second = second
        self.sleep = sleep
    }

    func acquire() async throws {
        while true {
            try await first.acquire()
            let (ended, end) = AsyncStream<Never>.makeStream()
            let term = Task { [first] in
                defer { end.finish() }
                try await first.lost()
            }
            if await hasSecond(until: ended) {
                if !Task.isCancelled { return self.term.withLock { $0 = term } }
                await giveBack(second)
            }
            term.cancel()
            _ = await term.result
            try Task.checkCancellation()
            try await sleep(Self.pause)
        }
    }

    private func hasSecond(until ended: AsyncStream<Never>) async -> Bool {
        enum Event { case had, ended }
        let events = await withTaskGroup(of: Event.self, returning: [Event].self) { group in
            group.addTask { [second] in ((try? await second.acquire()) != nil) ? .had : .ended }
            group.addTask {
                for await _ in ended {}
                return .ended
            }
            group.addTask { [sleep] in
                try? await sleep(Self.patience)
                return .ended
            }
            var events: [Event] = []
            for await event in group {
                events.append(event)
                group.cancelAll()
            }
            return events
        }
        if events.first == .had { return true }
        // It came too late.
        if events.contains(.had) { await giveBack(second) }
        return false
    }

    private func giveBack(_ one: any Leadership) async {
        let lost = Task { try await one.lost() }
        lost.cancel()
        _ = await lost.result
    }

    func lost() async throws {
        guard let term = term.withLock({ $0 }) else { return }
        defer { self.term.withLock { $0 = nil } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await withTaskCancellationHandler {
                    try await term.value
                } onCancel: {
                    term.cancel()
                }
            }
            group.addTask { [second] in try await second.lost() }
            defer { group.cancelAll() }
            _ = try await group.next()
        }
    }
}
