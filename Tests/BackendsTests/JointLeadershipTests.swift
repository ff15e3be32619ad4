import Core
import Synchronization
import Testing

@testable import Server

/// Two leaderships that have to agree.
@Suite(.timeLimit(.minutes(15))) struct JointLeadershipTests {
    /// One that is had where a test grants it, and lost when it says so.
    private actor Scripted: Leadership {
        private(set) var isHeld = false
        private(set) var asked = 0
        private var isGranted: Bool
        private var askers: [CheckedContinuation<Void, Never>] = []
        private var ends: [CheckedContinuation<Void, Never>] = []

        init(isGranted: Bool = true) { self.isGranted = isGranted }

        func acquire() async throws {
            asked += 1
            if !isGranted {
                await withTaskCancellationHandler {
                    await withCheckedContinuation { askers.append($0) }
                } onCancel: {
                    Task { await self.wake() }
                }
            }
            try Task.checkCancellation()
            isHeld = true
        }

        func grant() {
            isGranted = true
            wake()
        }

        private func wake() {
            for asker in askers { asker.resume() }
            askers = []
        }

        func lost() async throws {
            await withTaskCancellationHandler {
                await withCheckedContinuation { ends.append($0) }
            } onCancel: {
                Task { await self.lose() }
            }
            isHeld = false
        }

        func lose() {
            for end in ends { end.resume() }
            ends = []
        }

        var isWaitedFor: Bool { !ends.isEmpty }
    }

    private func until(_ isSo: () async -> Bool) async { while await !isSo() { await Task.yield() } }

    @Test(arguments: [true, false]) func `whichever is lost, both are given up`(isFirst: Bool) async throws {
        let (first, second) = (Scripted(), Scripted())
        let both = JointLeadership(first: first, second: second)
        try await both.acquire()
        let lost = Task { try await both.lost() }
        for one in [first, second] { await until { await one.isWaitedFor } }
        await (isFirst ? first : second).lose()
        try await lost.value
        #expect(await !first.isHeld)
        #expect(await !second.isHeld)
    }

    @Test func `who does not get the second in time lets others have the first`() async throws {
        let (first, second) = (Scripted(), Scripted(isGranted: false))
        let slept = Mutex<[Double]>([])
        let turns = AsyncStream<Void>.makeStream()
        let both = JointLeadership(first: first, second: second) { seconds in
            let isFirst = slept.withLock { slept in
                slept.append(seconds)
                return slept.count == 1
            }
            if isFirst { return }
            // The pause, in which a test looks around, and what comes after it.
            for await _ in turns.stream { return }
            try Task.checkCancellation()
        }
        let acquired = Task { try await both.acquire() }
        await until { slept.withLock { $0.count } == 2 }
        #expect(await !first.isHeld)
        #expect(slept.withLock { $0 } == [JointLeadership.patience, JointLeadership.pause])
        await second.grant()
        turns.continuation.yield()
        try await acquired.value
        #expect(await first.isHeld)
        #expect(await second.isHeld)
    }

    @Test func `who loses the first while it waits for the second begins again`() async throws {
        let (first, second) = (Scripted(), Scripted(isGranted: false))
        let both = JointLeadership(first: first, second: second) { seconds in
            if seconds == JointLeadership.pause { return }
            let (never, end) = AsyncStream<Never>.makeStream()
            defer { end.finish() }
            for await _ in never {}
            try Task.checkCancellation()
        }
        let acquired = Task { try await both.acquire() }
        await until { await second.asked == 1 }
        await until { await first.isWaitedFor }
        await first.lose()
        await until { await second.asked == 2 }
        await second.grant()
        try await acquired.value
        #expect(await first.isHeld)
        #expect(await first.asked == 2)
    }

    @Test func `who is cancelled while it waits holds neither`() async throws {
        let (first, second) = (Scripted(), Scripted(isGranted: false))
        let both = JointLeadership(first: first, second: second)
        let acquired = Task { try await both.acquire() }
        await until { await second.asked == 1 }
        acquired.cancel()
        await #expect(throws: CancellationError.self) { try await acquired.value }
        #expect(await !first.isHeld)
        #expect(await !second.isHeld)
    }
}
