import Core
import Dispatch
import Synchronization
import Testing

@testable import Backends

/// What stands between a far worker's socket and the tasks that talk by it.
@Suite(.timeLimit(.minutes(15))) struct FrameQueueTests {
    private static func number(_ frame: FarFrame?) -> UInt32? {
        if case .opened(let port) = frame { port } else { nil }
    }

    @Test func framesComeInOrderThroughAQueueThatHoldsAFewOfThem() async throws {
        let queue = FrameQueue(capacity: 3)
        BlockingThread.start {
            for number in 0..<100 { queue.put(.opened(port: UInt32(number))) }
            queue.close()
        }
        for number in 0..<100 { #expect(Self.number(await queue.next()) == UInt32(number)) }
        #expect(await queue.next() == nil)
    }

    @Test func whoWaitsForRoomIsLetGoWhenTheQueueIsClosed() async throws {
        let queue = FrameQueue(capacity: 1)
        let puts = (0..<4).map { _ in
            Task { try await BlockingThread.run { queue.put(.opened(port: 1)) } }
        }
        queue.close()
        for put in puts { try await put.value }
        // What was put in before is still there; a queue that goes with something in it is no fault.
        _ = FrameQueue(capacity: 5)
    }

    @Test func anOutboxSendsInOrderAndHoldsUpWhoPutsTooMuchIn() async throws {
        let sent = Mutex<[UInt32]>([])
        let outbox = FrameOutbox(capacity: 2) { frame in
            if let number = Self.number(frame) { sent.withLock { $0.append(number) } }
            return Self.number(frame) != 20
        }
        for number in 0..<20 { #expect(await outbox.put(.opened(port: UInt32(number)))) }
        #expect(await outbox.put(.opened(port: 20)))
        // Nobody hears any more: some may have been taken in before that was known.
        while await outbox.put(.opened(port: 21)) {}
        #expect(outbox.isClosed)
        #expect(sent.withLock { Array($0.prefix(21)) } == Array(0...20))
    }

    @Test func whoWaitsForRoomInAnOutboxIsLetGoWhenItIsClosed() async throws {
        let (held, isHeld) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let outbox = FrameOutbox(capacity: 1) { _ in
            isHeld.signal()
            held.wait()
            return true
        }
        #expect(await outbox.put(.done))
        try await BlockingThread.run { isHeld.wait() }
        #expect(await outbox.put(.done))
        let waiters = (0..<3).map { _ in Task { await outbox.put(.done) } }
        outbox.close()
        for waiter in waiters { #expect(await !waiter.value) }
        held.signal()
    }
}
