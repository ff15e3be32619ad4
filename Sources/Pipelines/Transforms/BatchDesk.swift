import Core
import Synchronization

/// Between one run of batching code, which asks for its datums by calls, and the task that works on them. Guarded by
/// its mutex.
final class BatchDesk: DatumDesk {
    /// What the code did.
    enum Event: Sendable {
        /// It is done with what it had, and wants more.
        case asked(error: String)
        /// It is over, and asks no more.
        case ended(WorkerRunEnd)

        var isAsking: Bool { if case .asked = self { true } else { false } }
    }

    private struct State {
        /// Whether the code has told how its last datum went, and got none since.
        var hasAsked = false
        /// A datum that nobody has taken yet.
        var given: [String]?
        var asker: CheckedContinuation<[String], any Error>?
        var events: [Event] = []
        var watcher: CheckedContinuation<Event, Never>?
        var isOver = false
    }

    private let state = Mutex(State())
    private let job: JobKey
    private let worker: String
    private let progress: JobProgress
    private let number: Int

    /// `worker` and its `number` among the job's.
    init(job: JobKey, worker: String, number: Int, progress: JobProgress) {
        self.job = job
        self.worker = worker
        self.number = number
        self.progress = progress
    }

    // MARK: The code

    func next(error: String) async throws -> [String] {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { asker in ask(error, asker) }
        } onCancel: {
            let asker = state.withLock { state in
                defer { state.asker = nil }
                return state.asker
            }
            asker?.resume(throwing: CancellationError())
        }
    }

    private func ask(_ error: String, _ asker: CheckedContinuation<[String], any Error>) {
        let answer = state.withLock { state -> Result<[String], any Error>? in
            if Task.isCancelled { return .failure(CancellationError()) }
            if state.isOver {
                return .failure(SpileError(.aborted, "the code that asks for a datum was ended by the server"))
            }
            if state.asker != nil {
                return .failure(SpileError(.failedPrecondition, "another call waits for the next datum already"))
            }
            if let given = state.given {
                (state.given, state.hasAsked) = (nil, false)
                return .success(given)
            }
            state.asker = asker
            // Whoever asks again after a call that was cut has told already how the last one went.
            if !state.hasAsked {
                state.hasAsked = true
                Self.post(.asked(error: error), &state)
            }
            return nil
        }
        if let answer { asker.resume(with: answer) }
    }

    func status() -> DatumDeskStatus {
        let active = progress[job]?.active[number]
        return DatumDeskStatus(
            worker: worker, job: job, datum: active.map { ($0.since, $0.files.map { ($0.path, $0.digest) }) })
    }

    func cancel(job: String, filters: [String]) async -> Bool {
        guard job == "\(self.job.id)", let active = progress[self.job]?.active[number], let end = active.end,
            active.matches(filters)
        else { return false }
        await end()
        return true
    }

    // MARK: Who works on the datums

    /// The next thing that the code does; one waits at a time. After ``Event/ended(_:)`` nothing comes.
    func event() async -> Event {
        await withCheckedContinuation { watcher in
            let event = state.withLock { state -> Event? in
                if !state.events.isEmpty { return state.events.removeFirst() }
                state.watcher = watcher
                return nil
            }
            if let event { watcher.resume(returning: event) }
        }
    }

    /// Gives the code, which has asked, a datum.
    func give(_ variables: [String]) {
        let asker = state.withLock { state -> CheckedContinuation<[String], any Error>? in
            guard let asker = state.asker else {
                state.given = variables
                return nil
            }
            (state.asker, state.hasAsked) = (nil, false)
            return asker
        }
        asker?.resume(returning: variables)
    }

    /// The code is over.
    func end(_ end: WorkerRunEnd) {
        let asker = state.withLock { state in
            state.isOver = true
            Self.post(.ended(end), &state)
            defer { state.asker = nil }
            return state.asker
        }
        asker?.resume(throwing: SpileError(.aborted, "the code that asked for a datum has ended"))
    }

    private static func post(_ event: Event, _ state: inout State) {
        guard let watcher = state.watcher else { return state.events.append(event) }
        state.watcher = nil
        watcher.resume(returning: event)
    }
}
