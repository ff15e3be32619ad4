import API
import Core
import GRPCCore
import Simulation
import Synchronization

/// One commit that a writer tries to make: which files, and what the server has confirmed of it.
struct Attempt: Sendable {
    let branch: BranchKey
    let files: [String: Content]
    /// Whether it is made in three calls (start, write, finish) instead of one.
    let isThreefold: Bool
    /// Known once StartCommit has answered.
    var id: String?
    /// ModifyFile has answered.
    var isWritten = false
    /// The last call has answered.
    var isDone = false
}

/// What writers tried and what was acknowledged, kept apart from the server that is killed meanwhile.
final class CrashLedger: Sendable {
    private struct State {
        var attempts: [Attempt] = []
        var isKilled = false
        var unexpected: [String] = []
        var isCutOff = false
        var writersLeft: Int
    }

    private let state: Mutex<State>
    /// One element for each attempt done; ends when no writer is left.
    let acknowledgements: AsyncStream<Void>
    private let inbox: AsyncStream<Void>.Continuation

    init(writers: Int) {
        state = Mutex(State(writersLeft: writers))
        (acknowledgements, inbox) = AsyncStream.makeStream(of: Void.self)
    }

    var attempts: [Attempt] { state.withLock { $0.attempts } }
    /// Failures from before the kill and what readers found wrong: there should be none.
    var unexpected: [String] { state.withLock { $0.unexpected } }

    func begin(_ attempt: Attempt) -> Int {
        state.withLock {
            $0.attempts.append(attempt)
            return $0.attempts.count - 1
        }
    }

    func update(_ index: Int, _ change: (inout Attempt) -> Void) { state.withLock { change(&$0.attempts[index]) } }

    func done(_ index: Int) {
        update(index) {
            $0.isWritten = true
            $0.isDone = true
        }
        inbox.yield()
    }

    func kill() { state.withLock { $0.isKilled = true } }

    /// Something that must not be, whenever it is seen.
    func report(_ what: String) { state.withLock { $0.unexpected.append(what) } }

    /// Whether the connection was lost before the kill. The client's HTTP/2 library ends one itself now and then, when
    /// many streams are under way (NoSuchStream): what was written then is as uncertain as after a kill, no less safe.
    var isCutOff: Bool { state.withLock { $0.isCutOff } }

    func failed(_ error: any Error) {
        if (error as? RPCError)?.code == .unavailable {
            state.withLock { if !$0.isKilled { $0.isCutOff = true } }
            return
        }
        let cause = (error as? RPCError)?.cause.map { ", because of \($0)" } ?? ""
        state.withLock { if !$0.isKilled { $0.unexpected.append("\(ContinuousClock.now): \(error)\(cause)") } }
    }

    func writerLeft() {
        let left = state.withLock { state in
            state.writersLeft -= 1
            return state.writersLeft
        }
        if left == 0 { inbox.finish() }
    }
}

/// One of the sixteen: what it writes and how.
struct CrashWriter: Sendable {
    enum Way: Sendable, CaseIterable { case small, shared, threefold, large, many }

    let number: Int
    let way: Way
    let branch: BranchKey

    static let repos = ["a", "b", "c"].map { RepoKey(name: $0) }

    static let all: [CrashWriter] = (0..<16).map { number in
        let ways: [Way] = [
            .small, .small, .small, .small, .small, .shared, .shared, .shared, .shared, .shared, .threefold,
            .threefold, .large, .large, .many, .many,
        ]
        let way = ways[number]
        return CrashWriter(
            number: number, way: way,
            branch: way == .shared ? repos[0].branch("shared") : repos[number % 3].branch("writer-\(number)"))
    }

    /// Puts one commit after the other until a call fails.
    func run(_ pfs: PfsV2_API.Client<ServerProcess.Transport>, _ ledger: CrashLedger, round: Int, seed: UInt64) async {
        let random = SeededRandomness(seed: seed &+ UInt64(round * 100 + number))
        defer { ledger.writerLeft() }
        do {
            for turn in 0... {
                let attempt = Attempt(
                    branch: branch, files: files("/w\(number)/r\(round)/\(turn)", random),
                    isThreefold: way == .threefold)
                try await put(attempt, ledger, pfs)
            }
        } catch {
            ledger.failed(error)
        }
    }

    private func put(
        _ attempt: Attempt, _ ledger: CrashLedger, _ pfs: PfsV2_API.Client<ServerProcess.Transport>
    ) async throws {
        let index = ledger.begin(attempt)
        if attempt.isThreefold {
            let commit = try await pfs.start(branch)
            ledger.update(index) { $0.id = commit.id }
            try await pfs.put(attempt.files, into: commit)
            ledger.update(index) { $0.isWritten = true }
            try await pfs.finish(commit)
        } else {
            try await pfs.put(attempt.files, into: branch.commit)
        }
        ledger.done(index)
    }

    func files(_ stem: String, _ random: SeededRandomness) -> [String: Content] {
        func content(_ sizes: ClosedRange<Int>) -> Content {
            Content(seed: random.next(), size: sizes.lowerBound + random.below(sizes.count))
        }
        switch way {
        case .small, .shared, .threefold: return [stem: content(0...3000)]
        case .large: return [stem: content((2 << 20)...(4 << 20))]
        case .many:
            let entries = (0..<40).map { ("\(stem)/\($0)", content(0...2000)) }
            return Dictionary(uniqueKeysWithValues: entries)
        }
    }
}
