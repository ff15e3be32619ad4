import Core
import Foundation
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A FIFO that wants to be filled when somebody opens it.
struct LazyFile: Sendable {
    let path: String
    /// Tells it from whatever the program may have put in its place.
    let node: FileNode
    /// Under which its content is asked for.
    let number: UInt32

    /// The same where the folder around has become another.
    func moved(from folder: String, to other: String) -> LazyFile {
        LazyFile(path: other + path.dropFirst(folder.count), node: node, number: number)
    }
}

/// What tells a file of this machine from every other.
struct FileNode: Hashable, Sendable {
    let device: UInt64
    let number: UInt64

    init(_ info: stat) {
        device = UInt64(info.st_dev)
        number = UInt64(info.st_ino)
    }
}

/// Fills FIFOs as they are opened, each once, all on one thread.
///
/// The system tells nobody that a FIFO waits for its writer, so those not opened yet are tried in turn: every few
/// milliseconds while the program opens some, at longer pauses else, and never for more than a twentieth of a core's
/// time. How many files are open at once is bounded, and with it memory: the others wait their turn.
final class LazyFeeder: Sendable {
    /// Guarded by the lock around it.
    private struct State {
        var isEnding = false
        var hasEnded = false
        /// The first file that could not be read to its end.
        var fault: (any Error)?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let files: [LazyFile]
    private let content: LazyContent
    private let state = Mutex(State())
    /// A pipe whose writing end is closed to wake the thread for its end.
    private let wakeRead: Int32
    private let wakeWrite: Int32

    static let openAtOnce = 32
    private static let shortestPause = 2
    private static let longestPause = 50
    /// How many files are tried in a millisecond, at least.
    private static let triesPerMillisecond = 200

    init(_ files: [LazyFile], content: @escaping LazyContent) throws {
        self.files = files
        self.content = content
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw LocalFile.fault("make", "a pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (wakeRead, wakeWrite) = (ends[0], ends[1])
    }

    /// To be called once; ``end()`` has to follow.
    func start() {
        let thread = Thread { [self] in run() }
        thread.name = "lazy-inputs"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Ends the feeding and waits until the thread is done. Throws what kept a file from being read. May be called
    /// again.
    func end() async throws {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isEnding { close(wakeWrite) }
                state.isEnding = true
                if !state.hasEnded { state.waiters.append(continuation) }
                return state.hasEnded
            }
            if isOver { continuation.resume() }
        }
        if let fault = state.withLock({ $0.fault }) { throw fault }
    }

    private func run() {
        // Readers may go before they have read all: that is an answer of `write`, not a signal to the server.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        feed()
        close(wakeRead)
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func feed() {
        var waiting = files
        var open: [Feed] = []
        var pause = Self.shortestPause
        var roundsToNextLook = 0
        while !state.withLock({ $0.isEnding }) {
            if roundsToNextLook <= 0, open.count < Self.openAtOnce {
                let found = look(&waiting, into: &open)
                pause = found ? Self.shortestPause : min(pause * 2, Self.longestPause)
                roundsToNextLook = 16 + waiting.count / Self.triesPerMillisecond
            }
            var polled = open.map { pollfd(fd: $0.file.number, events: Int16(POLLOUT), revents: 0) }
            polled.append(pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0))
            let longest = max(pause, waiting.count / Self.triesPerMillisecond * 20)
            let isQuiet = poll(&polled, nfds_t(polled.count), waiting.isEmpty ? -1 : Int32(min(longest, 60_000))) == 0
            roundsToNextLook = isQuiet ? 0 : roundsToNextLook - 1
            for index in open.indices.reversed() where polled[index].revents != 0 {
                if !advance(open[index]) { open.remove(at: index) }
            }
        }
    }

    /// Opens those that somebody reads; whether there were any.
    private func look(_ waiting: inout [LazyFile], into open: inout [Feed]) -> Bool {
        let before = open.count
        waiting.removeAll { lazy in
            guard open.count < Self.openAtOnce else { return false }
            guard let file = LocalFile(lazy.path, O_WRONLY) else {
                // Nobody reads it, or too much is open now; else it is gone.
                return ![ENXIO, EMFILE, ENFILE, EINTR, ENOMEM].contains(errno)
            }
            guard let info = file.status, info.isFIFO, FileNode(info) == lazy.node else { return true }
            open.append(Feed(file, lazy.number, content))
            return true
        }
        return open.count > before
    }

    /// Writes what the reader takes; false when the file is done with.
    private func advance(_ feed: Feed) -> Bool {
        do {
            guard try feed.fill() else { return false }
        } catch {
            state.withLock { state in
                if state.fault == nil { state.fault = error }
            }
            return false
        }
        return feed.drain()
    }

    /// An open FIFO. Used by the feeder's thread alone.
    private final class Feed {
        let file: LocalFile
        private let number: UInt32
        private let content: LazyContent
        private var offset: UInt64 = 0
        private var piece: ArraySlice<UInt8> = []

        init(_ file: consuming LocalFile, _ number: UInt32, _ content: @escaping LazyContent) {
            self.file = file
            self.number = number
            self.content = content
        }

        /// Sees to it that there is something to write; false at the end.
        func fill() throws -> Bool {
            if !piece.isEmpty { return true }
            piece = try content(number, offset)[...]
            offset += UInt64(piece.count)
            return !piece.isEmpty
        }

        /// Writes as much as the reader has room for; false when nobody reads any more.
        func drain() -> Bool {
            let count = piece.withUnsafeBytes { write(file.number, $0.baseAddress, $0.count) }
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            piece = piece.dropFirst(count)
            return true
        }
    }
}
