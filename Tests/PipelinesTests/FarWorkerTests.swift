import Backends
import Core
import Foundation
import Storage
import Testing
import Versioning

@testable import Pipelines

/// What comes to a worker on another machine and goes from there.
@Suite(.timeLimit(.minutes(15))) struct FarWorkerTests {
    /// A far worker, and files to lay out for it.
    private final class Scene: Sendable {
        let inputs: InputScene
        let workers: WorkerScene

        init(_ files: [String: String]) async throws {
            inputs = try await InputScene()
            workers = try WorkerScene(WorkerSetting(backend: .process, isFar: true))
            if !files.isEmpty { try await inputs.commit(files) }
        }

        func start(_ configure: (inout LaunchOrder) -> Void = { _ in }) async throws -> any FarWorker {
            try #require(try await workers.start(configure) as? any FarWorker)
        }

        var ports: DeskPorts? { (workers.launcher as? FarLauncher)?.ports }

        func lay(_ laid: [LaidInput], at worker: any FarWorker) async throws {
            var walk = InputWalk()
            try await walk.lay(laid, variables: [("A", "1")]) { try await worker.lay($0) }
            let readers = LazyReaders(walk.lazySources)
            try await worker.finishLaying { try readers.read($0, from: $1) }
        }

        func run(_ script: String, at worker: any FarWorker) async -> LaunchExit? {
            await worker.run(workers.script(script)).exit
        }
    }

    /// Files by their paths: content, or `input:path`.
    private func take(_ worker: any FarWorker) async throws -> [String: String] {
        let sink = Sink()
        try await worker.take(to: sink)
        return sink.files
    }

    private final class Sink: TakenSink {
        var files: [String: String] = [:]
        /// Chunks that need not be sent, and the lengths of all.
        var known: Set<Digest> = []
        var chunks: [(hash: Digest, length: Int)] = []
        var isFull = false
        private var last = ""

        func begin(_ path: String) throws {
            if isFull { throw SpileError(.resourceExhausted, "full") }
            (last, files[path]) = (path, "")
        }

        func add(_ bytes: [UInt8]) throws { files[last, default: ""] += String(decoding: bytes, as: UTF8.self) }

        func add(chunk hash: Digest, length: Int) throws -> Bool {
            chunks.append((hash, length))
            return known.contains(hash)
        }

        func put(_ path: String, name: String, source: String) throws { files[path] = "\(name):\(source)" }
    }

    @Test func oneDatumFollowsTheOther() async throws {
        let scene = try await Scene(["/d/a": "one", "/b": "two"])
        let worker = try await scene.start()
        for round in 0..<3 {
            try await scene.lay(
                [
                    try scene.inputs.input("/d/"), try scene.inputs.input("/b", name: "empty", form: .empty),
                    try scene.inputs.input("/b", name: "slow", form: .lazy),
                ], at: worker)
            let script = """
                cat /pfs/in/d/a /pfs/slow/b > /pfs/out/all; cat /pfs/.env
                wc -c < /pfs/empty/b | tr -d ' ' > /pfs/out/size
                mkdir -p /pfs/out/x/y; ln -s /pfs/in/d/a /pfs/out/x/link; ln -s /pfs/slow/b /pfs/out/x/y/lazy
                ls /pfs; echo more > /pfs/in/more
                """
            #expect(await scene.run(script, at: worker) == .exited(code: 0))
            #expect(scene.workers.lines.suffix(5) == ["A=1", "empty", "in", "out", "slow"], "\(round)")
            #expect(
                try await take(worker) == [
                    "/all": "onetwo", "/size": "0\n", "/x/link": "in:/d/a", "/x/y/lazy": "slow:/b",
                ])
            try await worker.clear()
            #expect(TemporaryFolder.names(of: scene.workers.pfs) == [".scratch"])
        }
        await worker.stop()
    }

    @Test func filesOfAnySizeArriveWhole() async throws {
        let text = String((0..<300_000).map { "\($0)\n" }.joined())
        let scene = try await Scene(["/big": text])
        let worker = try await scene.start()
        try await scene.lay(
            [try scene.inputs.input(), try scene.inputs.input("/big", name: "slow", form: .lazy)], at: worker)
        let script = "cat /pfs/in/big > /pfs/out/a; cat /pfs/slow/big > /pfs/out/b; head -c 10 /pfs/out/a > /pfs/out/c"
        #expect(await scene.run(script, at: worker) == .exited(code: 0))
        let taken = try await take(worker)
        #expect(taken["/a"] == text && taken["/b"] == text)
        #expect(taken["/c"] == String(text.prefix(10)))
        try await worker.clear()
        await worker.stop()
    }

    @Test func chunksThatAreStoredAreNotSent() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        try await scene.lay([], at: worker)
        let script = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); echo line $i; done > /pfs/out/a"
        #expect(await scene.run(script, at: worker) == .exited(code: 0))
        let first = Sink()
        try await worker.take(to: first)
        let text = try #require(first.files["/a"])
        #expect(first.chunks.count >= 2 && first.chunks.allSatisfy { $0.length > 512 << 10 })
        let second = Sink()
        second.known = [first.chunks[0].hash]
        try await worker.take(to: second)
        #expect(second.files["/a"] == String(text.dropFirst(first.chunks[0].length)))
        #expect(second.chunks.map(\.hash) == first.chunks.map(\.hash))
        try await worker.clear()
        await worker.stop()
    }

    @Test func whatIsKeptStaysFromRunToRun() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        let file = WorkerFile(path: "c.json", bytes: Array("{}".utf8), mode: 0o600)
        #expect(try await worker.keep([file]) == ["/pfs/.scratch/c.json"])
        for _ in 0..<2 {
            try await scene.lay([], at: worker)
            #expect(await scene.run("cat /pfs/.scratch/c.json", at: worker) == .exited(code: 0))
            try await worker.clear()
        }
        #expect(scene.workers.lines == ["{}", "{}"])
        await worker.stop()
    }

    @Test(.enabled(if: geteuid() == 0)) func whatCodesUserKeptToItselfIsOpened() async throws {
        let scene = try await Scene([:])
        chmod(scene.workers.folder.path, 0o755)
        let worker = try await scene.start { $0.user = "65534:12" }
        try await scene.lay([], at: worker)
        let script = "umask 077; mkdir -m 1777 /pfs/out/d; echo x > /pfs/out/d/f; chmod 1500 /pfs/out/d"
        #expect(await scene.run(script, at: worker) == .exited(code: 0))
        #expect(try await take(worker) == ["/d/f": "x\n"])
        for (path, mode) in [("/out/d", 0o777), ("/out/d/f", 0o666)] {
            let info = try #require(LocalFile.status(scene.workers.pfs + path))
            #expect(Int(info.st_mode) & 0o7777 == mode, "\(path)")
        }
        try await worker.clear()
        await worker.stop()
    }

    @Test func whatCannotBeTakenOrLaidSaysWhyAndTheWorkerGoesOn() async throws {
        let scene = try await Scene(["/a": "x"])
        let worker = try await scene.start()
        try await scene.lay([try scene.inputs.input()], at: worker)
        #expect(await scene.run("echo y > /pfs/out/a; ln -s /etc/passwd /pfs/out/b", at: worker) == .exited(code: 0))
        let fault = try await #require(throws: SpileError.self) { _ = try await take(worker) }
        #expect(fault.code == .failedPrecondition && fault.message.contains("/pfs/out/b"), "\(fault)")
        #expect(fault.remedy.contains("copy"))
        try await worker.clear()

        try await worker.lay(.file("/no/such/folder/f", time: nil))
        try await worker.lay(.bytes([1]))
        let other = try await #require(throws: SpileError.self) { try await worker.finishLaying { _, _ in [] } }
        #expect(other.message.contains("/pfs/no/such/folder/f"), "\(other)")
        try await worker.clear()

        // Where whoever takes has a fault of its own, the worker is given up.
        try await scene.lay([try scene.inputs.input()], at: worker)
        #expect(await scene.run("for i in 1 2 3; do echo $i > /pfs/out/$i; done", at: worker) == .exited(code: 0))
        let full = Sink()
        full.isFull = true
        let third = try await #require(throws: SpileError.self) { try await worker.take(to: full) }
        #expect(third.code == .resourceExhausted)
        await #expect(throws: WorkerGone.self) { try await worker.clear() }
        await worker.stop()
    }

    @Test func aTakeEndsWithItsTask() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        try await scene.lay([], at: worker)
        #expect(await scene.run("head -c 3000000 /dev/urandom > /pfs/out/f", at: worker) == .exited(code: 0))
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await worker.take(to: Sink())
        }
        await #expect(throws: WorkerGone.self) { try await task.value }
        _ = await worker.end()
        #expect(!worker.isAlive)
    }

    @Test func aLazyFileThatCannotBeReadIsToldWhenFilesAreTaken() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        try await worker.lay(.input(name: "in", isLazy: true, seconds: 0))
        try await worker.lay(.folder("/in"))
        try await worker.lay(.folder("/out"))
        try await worker.lay(.fifo("/in/f", number: 7))
        try await worker.finishLaying { number, offset in throw SpileError(.dataLoss, "\(number) at \(offset)") }
        #expect(await scene.run("cat /pfs/in/f", at: worker) == .exited(code: 0))
        let fault = try await #require(throws: SpileError.self) { _ = try await take(worker) }
        #expect(fault.code == .dataLoss && fault.message == "7 at 0")
        try await worker.clear()
        await worker.stop()
    }

    @Test func aWorkerThatIsGoneIsToldFromFilesThatAreWrong() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        #expect(await worker.run(scene.workers.script("kill -9 $PPID")).isLost)
        await #expect(throws: WorkerGone.self) { try await worker.clear() }
        await #expect(throws: WorkerGone.self) { _ = try await take(worker) }
        #expect(!worker.isAlive)
        #expect(await worker.end() == .signalled(number: 9))
    }

    @Test func codeAsksForItsDatumsWhereItRuns() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        let job = JobKey(pipeline: PipelineKey(name: "p"), id: CommitID(randomHigh: 1, randomLow: 2))
        let desk = BatchDesk(job: job, worker: "w", number: 0, progress: JobProgress())
        let port = try await worker.open(desk)
        let asked = try #require(scene.ports?.desk)
        let first = Task { try await asked.next(error: "") }
        guard case .asked("") = await desk.event() else { return #expect(Bool(false)) }
        let status = try await asked.status()
        #expect(status.worker == "w" && status.job == job && status.datum == nil)
        #expect(try await !asked.cancel(job: "\(job.id)", filters: ["/a"]))
        desk.give(["A=1"])
        #expect(try await first.value == ["A=1"])

        // Who hangs up is no longer waited for. Whoever asks next gets the answer, come before or after that.
        for isEarly in [true, false] {
            let second = Task { try await asked.next(error: "bad") }
            guard case .asked("bad") = await desk.event() else { return #expect(Bool(false)) }
            second.cancel()
            await #expect(throws: CancellationError.self) { try await second.value }
            if isEarly { desk.give(["A=2"]) }
            let third = Task { try await asked.next(error: "") }
            if !isEarly { desk.give(["A=2"]) }
            #expect(try await third.value == ["A=2"])
        }
        await port.close()
        // What is asked later is done later.
        try await worker.clear()
        #expect(scene.ports?.isOpen == false)
        await worker.stop()
    }

    @Test func whoSaysNoKeyIsShownOutAndTheDoorStaysOpen() async throws {
        let scene = try await Scene([:])
        let worker = try await scene.start()
        let place = try #require((scene.workers.launcher as? FarLauncher)?.lastPlace)
        // A key is good once; and what follows is no greeting at all, though each is a frame.
        let used = Self.frame(kind: 64, number: 2, [Array(place.key.utf8)])
        let status = Self.frame(kind: 31, number: 0, [[], [], [], Self.id, [0, 0, 0, 0, 0, 0, 0, 0], [97], [1]])
        for words in [used, status, Array("GET / HTTP/1.1\r\n\r\n".utf8), [255, 255, 255, 255]] {
            #expect(try await onOwnThread { try Self.answer(to: words, at: place.port) } == [])
        }
        #expect(await scene.run("exit 3", at: worker) == .exited(code: 3))
        await worker.stop()
        let other = try await scene.start()
        #expect(await scene.run("exit 4", at: other) == .exited(code: 4))
        await other.stop()
    }

    @Test func aSidecarOfAnotherVersionIsToldAsSuch() async throws {
        let scene = try await Scene([:])
        let launcher = VersionedLauncher(scene.workers.launcher) { place in
            let join = Self.frame(kind: 64, number: 1, [Array(place.key.utf8)])
            _ = try Self.answer(to: join, at: place.port)
        }
        let door = WorkerDoor(.host("127.0.0.1"))
        defer { door.close() }
        let error = try await #require(throws: SpileError.self) {
            try await WorkerScene.host(launcher, door: door).start(scene.workers.order())
        }
        #expect(error.message.contains("another version") && error.remedy.contains("--kubernetes-image"), "\(error)")
    }

    /// Launches nothing: what stands in for the sidecar says what it says.
    private final class VersionedLauncher: Launcher {
        private let inner: any Launcher
        private let sidecar: @Sendable (LaunchSidecar) throws -> Void

        init(_ inner: any Launcher, sidecar: @escaping @Sendable (LaunchSidecar) throws -> Void) {
            self.inner = inner
            self.sidecar = sidecar
        }

        func start(_ order: LaunchOrder) async throws -> LaunchHandle {
            if let place = order.sidecar { try await onOwnThread { [sidecar] in try sidecar(place) } }
            return LaunchHandle("none")
        }

        func mountsFolders(of order: LaunchOrder) -> Bool { false }
        func workerProgram(of order: LaunchOrder) -> String? { inner.workerProgram(of: order) }
        func wait(_ handle: LaunchHandle) async throws -> LaunchExit {
            let (never, end) = AsyncStream<Never>.makeStream()
            defer { end.finish() }
            for await _ in never {}
            throw CancellationError()
        }
        func isAlive(_ handle: LaunchHandle) async -> Bool { false }
        func stop(_ handle: LaunchHandle, grace: Double) async {}
        func endLeftovers(grace: Double) async {}
    }

    private static let id = Array("0123456789ab4cdef0123456789abcde".utf8)

    private static func frame(kind: UInt8, number: UInt32, _ fields: [[UInt8]]) -> [UInt8] {
        func bytes(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
        let body = [kind] + bytes(Int(number)) + bytes(fields.count) + fields.flatMap { bytes($0.count) + $0 }
        return bytes(body.count) + body
    }

    /// All that a port of this machine says to whoever says that.
    private static func answer(to words: [UInt8], at port: Int) throws -> [UInt8] {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(number, $0, size) == 0 }
        }
        try #require(isConnected)
        _ = send(number, words, words.count, Int32(MSG_NOSIGNAL))
        shutdown(number, Int32(SHUT_WR))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = recv(number, &buffer, buffer.count, 0)
            if count <= 0 { return answer }
            answer += buffer[..<count]
        }
    }
}
