import Core
import Simulation
import Synchronization
import Testing

@testable import Pipelines

/// What becomes of a datum when the worker that has its files is lost.
@Suite struct FarFilesTests {
    /// A worker that does what it is told to.
    private final class Worker: FarWorker {
        let take: @Sendable (any TakenSink) throws -> Void
        let clear: @Sendable () throws -> Void

        init(
            take: @escaping @Sendable (any TakenSink) throws -> Void, clear: @escaping @Sendable () throws -> Void = {}
        ) {
            self.take = take
            self.clear = clear
        }

        func keep(_ files: [WorkerFile]) async throws -> [String] { [] }
        func lay(_ piece: LaidPiece) async throws {}
        func finishLaying(_ content: @escaping LazyContent) async throws {}
        func take(to sink: any TakenSink) async throws { try take(sink) }
        func clear() async throws { try clear() }
        func open(_ desk: any DatumDesk) async throws -> any DatumPort { throw WorkerGone() }
        func run(_ run: WorkerRun) async -> WorkerRunEnd { .lost(.unknown) }
        func stop() async {}
        func end() async -> LaunchExit { .unknown }
        let isAlive = true
    }

    private func leave(
        _ worker: Worker, after result: DatumAttempt.Result? = .good
    ) async throws -> (result: DatumAttempt.Result?, isSeatGood: Bool, bytes: UInt64) {
        let scene = try await InputScene()
        var files = FarFiles(
            [], variables: [], of: .zero, into: JobOutput(scene.history), clock: ManualClock())
        let left = try await files.leave(.init(worker: worker, place: .far(worker)), after: result)
        return (left.result, left.isSeatGood, try await files.take())
    }

    private static let takesOne: @Sendable (any TakenSink) throws -> Void = { sink in
        try sink.begin("/a")
        try sink.add([1, 2, 3])
    }

    @Test func whatWasTakenWholeCountsThoughTheWorkerIsLostAfterwards() async throws {
        let faults: [any Error & Sendable] = [WorkerGone(), SpileError(.failedPrecondition, "cannot remove /pfs/out")]
        for fault in faults {
            let left = try await leave(Worker(take: Self.takesOne, clear: { throw fault }))
            guard case .good = left.result else { return #expect(Bool(false), "\(left)") }
            #expect(!left.isSeatGood && left.bytes == 3)
        }
    }

    @Test func aWorkerThatIsLostWhileFilesAreTakenIsToldAsSuch() async throws {
        let worker = Worker(take: {
            try Self.takesOne($0)
            throw WorkerGone()
        })
        await #expect(throws: WorkerGone.self) { _ = try await leave(worker) }
    }

    @Test func whatCannotBeTakenIsTheCodesFault() async throws {
        let worker = Worker(take: { try $0.begin("/../a") })
        let left = try await leave(worker)
        guard case .failed = left.result else { return #expect(Bool(false), "\(left)") }
        #expect(left.isSeatGood && left.bytes == 0)
    }

    @Test func nothingIsTakenOfCodeThatFailed() async throws {
        let worker = Worker(take: { _ in throw SpileError.bug("taken") })
        let left = try await leave(worker, after: .failed("bad"))
        guard case .failed("bad") = left.result else { return #expect(Bool(false), "\(left)") }
        #expect(left.isSeatGood)
    }
}
