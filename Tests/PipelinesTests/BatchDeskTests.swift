import Core
import Testing

@testable import Pipelines

/// What batching code is told, and what it tells.
@Suite(.timeLimit(.minutes(15))) struct BatchDeskTests {
    private static let id = CommitID(high: 0, low: 1)
    private let desk = BatchDesk(
        job: JobKey(pipeline: PipelineKey(name: "p"), id: Self.id), worker: "w", number: 0,
        progress: JobProgress())

    private func asked() async -> String? {
        if case .asked(let error) = await desk.event() { error } else { nil }
    }

    @Test func theFirstCallWaitsForADatumAndTheNextTellsHowItWent() async throws {
        let first = Task { try await desk.next(error: "") }
        #expect(await asked() == "")
        desk.give(["A=1"])
        #expect(try await first.value == ["A=1"])
        let second = Task { try await desk.next(error: "bad luck") }
        #expect(await asked() == "bad luck")
        desk.give(["A=2"])
        #expect(try await second.value == ["A=2"])
    }

    @Test func aCallThatIsCutTellsNothingTwiceAndLosesNoDatum() async throws {
        let cut = Task { try await desk.next(error: "") }
        #expect(await asked() == "")
        cut.cancel()
        await #expect(throws: CancellationError.self) { try await cut.value }
        desk.give(["A=1"])
        #expect(try await desk.next(error: "") == ["A=1"])
        let next = Task { try await desk.next(error: "") }
        // One event for the datum, none for the call that was cut.
        #expect(await asked() == "")
        desk.end(.ended(.exited(code: 0)))
        _ = try? await next.value
        if case .ended = await desk.event() {} else { Issue.record("there was another event before the end") }
    }

    @Test func twoCannotWaitAtOnce() async throws {
        let first = Task { try await desk.next(error: "") }
        #expect(await asked() == "")
        await #expect(throws: SpileError.self) { try await desk.next(error: "") }
        desk.give(["A=1"])
        #expect(try await first.value == ["A=1"])
    }

    @Test func whoWaitsWhenTheCodeEndsAndWhoeverComesLaterIsTurnedAway() async throws {
        let waiting = Task { try await desk.next(error: "") }
        #expect(await asked() == "")
        desk.end(.ended(.signalled(number: 9)))
        await #expect(throws: SpileError.self) { try await waiting.value }
        await #expect(throws: SpileError.self) { try await desk.next(error: "") }
        if case .ended(let end) = await desk.event() {
            #expect(end.exit == .signalled(number: 9))
        } else {
            Issue.record("the end was not told")
        }
    }

    @Test func nothingIsCancelledOfAnotherJobOrBetweenDatums() async {
        #expect(await !desk.cancel(job: "another", filters: []))
        #expect(await !desk.cancel(job: "\(Self.id)", filters: []))
        let status = desk.status()
        #expect(status.datum == nil && status.worker == "w")
    }
}
