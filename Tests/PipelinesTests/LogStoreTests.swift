import Backends
import Core
import Pipelines
import Simulation
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(15))) struct LogStoreTests {
    private let key = PipelineKey(name: "p")
    private let files = ScriptedLogFiles()
    private let time = ScriptedTime()

    private func store(_ limits: LogStore.Limits = LogStore.Limits()) -> LogStore {
        LogStore(files: files, clock: time, limits: limits)
    }

    private func print(_ lines: [String], to store: LogStore) {
        for line in lines { store.append(LaunchOutput(stream: .standardOutput, line: line), worker: "w", of: key) }
    }

    private func read(_ store: LogStore, _ kind: LogQuery.Kind = .all, since: Double = 0, tail: Int? = nil) async throws
        -> [String]
    {
        var lines: [String] = []
        try await store.read(LogQuery(pipeline: key, kind: kind, since: since, tail: tail)) { lines.append($0.message) }
        return lines
    }

    @Test func whatWasPrintedIsReadBackWithAllItsFields() async throws {
        let store = store()
        store.append(LaunchOutput(stream: .standardError, line: "a \"quoted\"\t\u{1}é😀"), worker: "w1", of: key)
        store.note("started", of: key)
        var records: [LogRecord] = []
        try await store.read(LogQuery(pipeline: key, kind: .all)) { records.append($0) }
        #expect(
            records == [
                LogRecord(
                    instant: time.now(), message: "a \"quoted\"\t\u{1}é😀", worker: "w1", isServer: false,
                    stream: "stderr"),
                LogRecord(instant: time.now(), message: "started", worker: "", isServer: true),
            ])
        #expect(try await read(store, .user).count == 1)
        #expect(try await read(store, .server) == ["started"])
    }

    @Test func linesAreJSONWithTheContractsKeys() throws {
        let store = store()
        print(["x"], to: store)
        let bytes = try files.read("0000000001.log", in: "default/p", from: 0, limit: 1000)
        #expect(
            String(decoding: bytes, as: UTF8.self) == """
                {"ts":"2023-11-14T22:13:20.000000000Z","severity":"info","projectName":"default","pipelineName":"p",\
                "workerId":"w","user":true,"stream":"stdout","message":"x"}

                """)
    }

    @Test func linesOfWorkSayWhichJobAndDatumTheyAreOf() async throws {
        let store = store()
        let (job, datum) = (CommitID(randomHigh: 1, randomLow: 2), Digest(words: (1, 2, 3, 4)))
        let input = LogInput(path: "/a \"b\"", hash: Digest(words: (0, 0, 0, 1)))
        store.append(
            LaunchOutput(stream: .standardOutput, line: "x"), worker: "w", of: key, job: job, datum: datum,
            data: [input])
        let bytes = try files.read("0000000001.log", in: "default/p", from: 0, limit: 1000)
        #expect(
            String(decoding: bytes, as: UTF8.self).contains(
                """
                "workerId":"w","jobId":"00000000000040018000000000000002",\
                "datumId":"0000000000000001000000000000000200000000000000030000000000000004",\
                "data":[{"path":"/a \\"b\\"","hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="}],"user":true
                """))
        var records: [LogRecord] = []
        try await store.read(LogQuery(pipeline: key, kind: .user)) { records.append($0) }
        #expect(records.map(\.job) == [job])
        #expect(records.map(\.datum) == [datum])
        #expect(records.map(\.data) == [[input]])
    }

    @Test func aQueryTakesOnlyLinesOfItsJobDatumAndFiles() async throws {
        let store = store()
        let jobs = [CommitID(randomHigh: 0, randomLow: 1), CommitID(randomHigh: 0, randomLow: 2)]
        let datums = [Digest(words: (0, 0, 0, 1)), Digest(words: (0, 0, 0, 255))]
        for (job, jobName) in zip(jobs, ["j1", "j2"]) {
            for (datum, name) in zip(datums, ["d1", "d2"]) {
                store.append(
                    LaunchOutput(stream: .standardOutput, line: "\(jobName) \(name)"), worker: "w", of: key, job: job,
                    datum: datum,
                    data: [LogInput(path: "/\(name)", hash: datum), LogInput(path: "/all/", hash: .zero)])
            }
            store.note("\(jobName) note", of: key, job: job)
        }
        print(["plain"], to: store)
        func read(_ query: LogQuery) async throws -> [String] {
            var lines: [String] = []
            try await store.read(query) { lines.append($0.message) }
            return lines
        }
        #expect(try await read(LogQuery(pipeline: key, kind: .all, job: jobs[0])) == ["j1 d1", "j1 d2", "j1 note"])
        #expect(try await read(LogQuery(pipeline: key, kind: .user, datum: datums[1])) == ["j1 d2", "j2 d2"])
        #expect(try await read(LogQuery(pipeline: key, kind: .all, job: jobs[1], datum: datums[0])) == ["j2 d1"])
        #expect(try await read(LogQuery(pipeline: key, kind: .all, job: jobs[1], tail: 1)) == ["j2 note"])
        for filter in [["/d2"], ["\(datums[1])"], ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8="], ["/all/", "/d2"]] {
            #expect(
                try await read(LogQuery(pipeline: key, kind: .all, data: filter)) == ["j1 d2", "j2 d2"], "\(filter)")
        }
        #expect(try await read(LogQuery(pipeline: key, kind: .all, data: ["/d1", "/d2"])).isEmpty)
        #expect(try await read(LogQuery(pipeline: key, kind: .all, data: ["/d"])).isEmpty)
    }

    @Test func aLineNamesSoManyFilesOfItsDatumAtMost() async throws {
        let store = store()
        let data = (0..<100).map { LogInput(path: "/\($0)", hash: .zero) }
        store.append(LaunchOutput(stream: .standardOutput, line: "x"), worker: "w", of: key, data: data)
        var records: [LogRecord] = []
        try await store.read(LogQuery(pipeline: key, kind: .user)) { records.append($0) }
        #expect(records.map(\.data) == [Array(data.prefix(LogRecord.mostInputs))])
    }

    @Test func sinceLeavesOutWhatIsOlder() async throws {
        let store = store()
        print(["old"], to: store)
        time.advance(by: 100)
        print(["new"], to: store)
        #expect(try await read(store, since: 50) == ["new"])
        #expect(try await read(store, since: 150) == ["old", "new"])
        time.advance(by: 86_390)
        #expect(try await read(store) == ["new"], "without since: a day")
    }

    @Test func tailGivesTheLastMatchingLines() async throws {
        let store = store()
        print((1...500).map { "\($0)" }, to: store)
        store.note("noise", of: key)
        #expect(try await read(store, .user, tail: 2) == ["499", "500"])
        #expect(try await read(store, .user, tail: 1000).count == 500)
    }

    @Test func filesRotateAndOldOnesGoWhileReadingStaysWhole() async throws {
        let store = store(LogStore.Limits(fileBytes: 2000, pipelineBytes: 8000))
        print((1...200).map { "line \($0)" }, to: store)
        let list = try files.list("default/p")
        #expect(list.count > 1)
        #expect(list.allSatisfy { $0.size <= 2000 })
        #expect(list.reduce(0) { $0 + $1.size } <= 8000)
        let lines = try await read(store)
        #expect(lines.last == "line 200")
        #expect(lines == (0..<lines.count).map { "line \(201 - lines.count + $0)" })
    }

    @Test func aFollowerGetsEachLineOnceAcrossRotation() async throws {
        let store = store(LogStore.Limits(fileBytes: 1000, pipelineBytes: 1 << 20))
        print(["0"], to: store)
        let seen = ScriptedMailbox<String>()
        let query = LogQuery(pipeline: key, kind: .user, follow: true)
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await store.read(query) { seen.put($0.message) } }
            #expect(await seen.next() == "0")
            for line in 1...100 {
                print(["\(line)"], to: store)
                if line.isMultiple(of: 10) {
                    for expected in (line - 9)...line { #expect(await seen.next() == "\(expected)") }
                }
            }
            group.cancelAll()
        }
        #expect(seen.untaken.isEmpty)
    }

    @Test func followersEndWhenTheServerGoesDown() async throws {
        let store = store()
        print(["0"], to: store)
        let seen = ScriptedMailbox<String>()
        let query = LogQuery(pipeline: key, kind: .user, follow: true)
        async let following: Void = store.read(query) { seen.put($0.message) }
        _ = await seen.next()
        store.endFollowing()
        try await following
        try await store.read(LogQuery(pipeline: PipelineKey(name: "other"), kind: .user, follow: true)) { _ in }
    }

    @Test func aTornLastLineIsDroppedAndTheNextOneIsWhole() async throws {
        print(["whole", "torn"], to: store())
        files.tear("default/p", by: 5)
        let after = store()
        print(["next"], to: after)
        #expect(try await read(after) == ["whole", "next"])
    }

    @Test func aLaterServerGoesOnInTheSameFile() async throws {
        print(["a"], to: store())
        let later = store()
        print(["b"], to: later)
        #expect(try files.list("default/p").count == 1)
        #expect(try await read(later) == ["a", "b"])
    }

    @Test(arguments: [0, 1, 50, 200])
    func aFullDiskLosesLinesAndSaysHowMany(_ room: Int) async throws {
        let store = store()
        print(["a"], to: store)
        files.setRoom(room)
        print(["b", "c"], to: store)
        files.setRoom(nil)
        print(["d"], to: store)
        let lines = try await read(store)
        let whole = ["a"] + (room >= 200 ? ["b"] : [])
        let lost = room >= 200 ? 1 : 2
        #expect(lines == whole + ["\(lost) lines of output were lost: the log could not be written", "d"])
    }

    @Test func linesOfManyThreadsComeWholeAndInEachOnesOrder() async throws {
        let store = store(LogStore.Limits(fileBytes: 4000, pipelineBytes: 1 << 20))
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for line in 0..<100 {
                        store.append(
                            LaunchOutput(stream: .standardOutput, line: "\(line)"), worker: "\(writer)", of: key)
                    }
                }
            }
        }
        var byWriter: [String: [String]] = [:]
        try await store.read(LogQuery(pipeline: key, kind: .all)) {
            byWriter[$0.worker, default: []].append($0.message)
        }
        #expect(byWriter.count == 4)
        for lines in byWriter.values { #expect(lines == (0..<100).map { "\($0)" }) }
    }

    @Test func theDiskKeepsWhatMemoryKeeps() async throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        let disk = DiskLogFiles(root: folder.path)
        let store = LogStore(files: disk, clock: time, limits: LogStore.Limits(fileBytes: 1000, pipelineBytes: 5000))
        print((1...100).map { "line \($0)" }, to: store)
        let lines = try await read(store)
        #expect(lines.last == "line 100")
        #expect(lines.count > 10)
        #expect(try disk.list("default/p").reduce(0) { $0 + $1.size } <= 5000)
        store.remove(key)
        #expect(try disk.list("default/p").isEmpty)
    }
}
