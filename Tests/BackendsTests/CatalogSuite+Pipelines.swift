import Core
import Dispatch
import Synchronization
import Testing

extension CatalogSuite {
    private static func pipeline(_ name: String, project: String = "default", version: Int64) -> PipelineRecord {
        PipelineRecord(
            key: PipelineKey(project: ProjectKey(project), name: name), version: version,
            specCommit: CommitID(randomHigh: UInt64(version), randomLow: .max), kind: .spout, state: .crashing,
            reason: "exit 1", stopped: version == 2, parallelism: 3, salt: "salt", userSpec: "{\"a\": \"é\"}",
            effectiveSpec: "{}", createdAt: Instant(nanoseconds: 1), updatedAt: Instant(nanoseconds: 2),
            createdBy: "me", workersStartedAt: version == 1 ? nil : Instant(nanoseconds: 3), metadata: ["k": "v"])
    }

    private static func job(of pipeline: PipelineKey, _ state: JobState) -> JobRecord {
        JobRecord(
            key: JobKey(pipeline: pipeline, id: CommitID(randomHigh: 1, randomLow: .max)), version: 1, commit: 7,
            state: state, createdAt: Instant(nanoseconds: 1))
    }

    private static func launch(_ name: String, epoch: Int64, token: UInt8) -> LaunchRecord {
        LaunchRecord(
            pipeline: PipelineKey(name: name), epoch: epoch, version: 2,
            tokenHash: Digest([UInt8](repeating: token, count: 32)), handle: "pid 7",
            startedAt: Instant(nanoseconds: 4), failures: 5)
    }

    static let pipelines = [
        CatalogRule("the version in force is the highest, and all versions come newest first") { catalog throws in
            let versions = (1...3).map { pipeline("p", version: $0) }
            try catalog.write { writer in for index in [1, 0, 2] { try writer.put(versions[index]) } }
            try catalog.read { reader throws in
                #expect(try reader.pipeline(PipelineKey(name: "p")) == versions[2])
                #expect(try reader.pipelineVersions(PipelineKey(name: "p")) == versions.reversed())
                for known in versions { #expect(try reader.pipeline(known.key, version: known.version) == known) }
                #expect(try reader.pipeline(PipelineKey(name: "p"), version: 99) == nil)
                #expect(try reader.pipelines(in: nil) == [versions[2]])
                #expect(try reader.pipeline(PipelineKey(name: "q")) == nil)
                #expect(try reader.pipelineVersions(PipelineKey(name: "q")) == [])
            }
        },
        CatalogRule("putting a version again replaces it") { catalog throws in
            var record = pipeline("p", version: 1)
            try catalog.write { [record] in try $0.put(record) }
            record.state = .running
            record.reason = ""
            record.metadata = [:]
            try catalog.write { [record] in try $0.put(record) }
            #expect(try catalog.read { try $0.pipelineVersions(record.key) } == [record])
        },
        CatalogRule("pipelines come by project and name and can be narrowed to projects") { catalog throws in
            let records = [("q", "a"), ("p", "b"), ("p", "a")].map { pipeline($0.1, project: $0.0, version: 1) }
            try catalog.write { writer in for record in records { try writer.put(record) } }
            func listed(_ projects: [String]?) throws -> [String] {
                try catalog.read { try $0.pipelines(in: projects?.map { ProjectKey($0) }) }.map(\.key.description)
            }
            #expect(try listed(nil) == ["p/a", "p/b", "q/a"])
            #expect(try listed(["q", "none"]) == ["q/a"])
            #expect(try listed([]) == [])
        },
        CatalogRule("the pipelines of a kind with jobs that are not over come by project and name") { catalog throws in
            let records = [("q", "a"), ("p", "b"), ("p", "a"), ("p", "over"), ("p", "idle"), ("p", "other")].map {
                pipeline($0.1, project: $0.0, version: 1)
            }
            try catalog.write { writer throws in
                for var record in records {
                    if record.key.name == "other" { record.kind = .transform }
                    try writer.put(record)
                    if record.key.name == "idle" { continue }
                    _ = try writer.insert(job(of: record.key, record.key.name == "over" ? .success : .running))
                }
                try writer.put(pipeline("a", project: "p", version: 2))
            }
            let busy = try catalog.read { try $0.busyPipelines(of: .spout) }
            #expect(busy.map(\.description) == ["p/a", "p/b", "q/a"])
            #expect(try catalog.read { try $0.busyPipelines(of: .service) } == [])
        },
        CatalogRule("a pipeline goes with all versions and its launch") { catalog throws in
            try catalog.write { writer throws in
                for version in 1...2 as ClosedRange<Int64> { try writer.put(pipeline("p", version: version)) }
                try writer.put(pipeline("q", version: 1))
                try writer.put(launch("p", epoch: 1, token: 1))
                try writer.put(launch("q", epoch: 1, token: 2))
                try writer.deletePipeline(PipelineKey(name: "p"))
            }
            try catalog.read { reader throws in
                #expect(try reader.pipelines(in: nil).map(\.key.name) == ["q"])
                #expect(try reader.pipelineVersions(PipelineKey(name: "p")) == [])
                #expect(try reader.launches().map(\.pipeline.name) == ["q"])
            }
        },
        CatalogRule("a launch is found by pipeline and token, and a newer one takes its place") { catalog throws in
            let old = launch("p", epoch: 1, token: 1)
            let new = launch("p", epoch: 2, token: 2)
            try catalog.write { try $0.put(old) }
            #expect(try catalog.read { try $0.launch(PipelineKey(name: "p")) } == old)
            #expect(try catalog.read { try $0.launch(tokenHash: old.tokenHash) } == old)
            try catalog.write { try $0.put(new) }
            try catalog.read { reader throws in
                #expect(try reader.launch(PipelineKey(name: "p")) == new)
                #expect(try reader.launch(tokenHash: new.tokenHash) == new)
                #expect(try reader.launch(tokenHash: old.tokenHash) == nil)
                #expect(try reader.launches() == [new])
            }
            try catalog.write { try $0.deleteLaunch(PipelineKey(name: "p")) }
            #expect(try catalog.read { try $0.launches() } == [])
        },
    ]

    static let transactions = [
        CatalogRule("a transaction that throws leaves no trace") { catalog throws in
            let kept = try catalog.write { try $0.makeRepo("kept") }
            #expect(throws: Abandoned.self) {
                try catalog.write { writer throws in
                    let repo = try writer.makeRepo("gone")
                    _ = try writer.makeCommit(1, in: repo, branch: try writer.makeBranch("master", in: repo))
                    try writer.deleteRepo(id: kept.id)
                    try writer.setSetting("a", to: "1")
                    try writer.put(pipeline("p", version: 1))
                    throw Abandoned()
                }
            }
            try catalog.read { reader throws in
                #expect(try reader.repos(in: nil, type: nil) == [kept])
                #expect(try reader.branches(repo: nil) == [])
                #expect(try reader.lastSequence() == 0)
                #expect(try reader.setting("a") == nil)
                #expect(try reader.pipelines(in: nil) == [])
            }
        },
        CatalogRule("a transaction sees its own changes") { catalog throws in
            try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                #expect(try writer.repo(repo.key) == repo)
                let commit = try writer.makeCommit(1, in: repo, branch: nil)
                #expect(try writer.commit(sequence: commit.sequence) == commit)
                try writer.deleteRepo(id: repo.id)
                #expect(try writer.commit(sequence: commit.sequence) == nil)
            }
        },
        CatalogRule("a savepoint that throws takes its own changes back and no others") { catalog throws in
            try catalog.write { writer throws in
                _ = try writer.makeRepo("before")
                #expect(throws: Abandoned.self) {
                    try writer.savepoint {
                        _ = try writer.makeRepo("inside")
                        throw Abandoned()
                    }
                }
                let result = try writer.savepoint { try writer.makeRepo("second").key.name }
                #expect(result == "second")
                _ = try writer.makeRepo("after")
            }
            #expect(
                try catalog.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["after", "before", "second"])
        },
        CatalogRule("savepoints nest") { catalog throws in
            try catalog.write { writer throws in
                try writer.savepoint {
                    _ = try writer.makeRepo("outer")
                    #expect(throws: Abandoned.self) {
                        try writer.savepoint {
                            _ = try writer.makeRepo("inner")
                            throw Abandoned()
                        }
                    }
                }
            }
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).map(\.key.name) } == ["outer"])
        },
        CatalogRule("a refused row is told as such inside the transaction, which goes on") { catalog throws in
            try catalog.write { writer throws in
                let repo = try writer.makeRepo("a")
                expectAlreadyExists { try writer.savepoint { _ = try writer.makeRepo("a") } }
                _ = try writer.makeCommit(1, in: repo, branch: nil)
                expectAlreadyExists { _ = try writer.makeCommit(1, in: repo, branch: nil) }
                _ = try writer.makeBranch("master", in: repo)
                expectAlreadyExists { _ = try writer.makeBranch("master", in: repo) }
                _ = try writer.makeRepo("b")
            }
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).count } == 2)
        },
        CatalogRule("a read keeps its snapshot while a write goes on beside it") { catalog throws in
            _ = try catalog.write { try $0.makeRepo("a") }
            let written = DispatchSemaphore(value: 0)
            let looked = DispatchSemaphore(value: 0)
            let group = DispatchGroup()
            let outcome = Mutex<String?>(nil)
            // reader: looks, lets the writer write, looks again      writer: waits, writes, says so
            DispatchQueue.global().async(group: group) {
                looked.wait()
                do {
                    _ = try catalog.write { try $0.makeRepo("b") }
                } catch {
                    outcome.withLock { $0 = "\(error)" }
                }
                written.signal()
            }
            try catalog.read { reader throws in
                #expect(try reader.repos(in: nil, type: nil).count == 1)
                looked.signal()
                written.wait()
                #expect(try reader.repos(in: nil, type: nil).count == 1)
            }
            group.wait()
            #expect(outcome.withLock { $0 } == nil)
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).count } == 2)
        },
        CatalogRule("a read does not see what a write has not finished") { catalog throws in
            let begun = DispatchSemaphore(value: 0)
            let looked = DispatchSemaphore(value: 0)
            let group = DispatchGroup()
            DispatchQueue.global().async(group: group) {
                _ = try? catalog.write { writer throws in
                    _ = try writer.makeRepo("a")
                    begun.signal()
                    looked.wait()
                }
            }
            begun.wait()
            #expect(try catalog.read { try $0.repos(in: nil, type: nil) } == [])
            looked.signal()
            group.wait()
            #expect(try catalog.read { try $0.repos(in: nil, type: nil).count } == 1)
        },
        CatalogRule("writers from many threads queue and lose nothing") { catalog throws in
            let repo = try catalog.write { try $0.makeRepo("a") }
            let failures = Mutex(0)
            DispatchQueue.concurrentPerform(iterations: 8) { thread in
                for turn in 0..<10 {
                    do {
                        _ = try catalog.write {
                            try $0.makeCommit(UInt64(thread * 100 + turn + 1), in: repo, branch: nil)
                        }
                    } catch {
                        failures.withLock { $0 += 1 }
                    }
                }
            }
            #expect(failures.withLock { $0 } == 0)
            let commits = try catalog.read {
                try $0.commits(repo: repo.id, order: .oldestFirst, beyond: nil, limit: 1000)
            }
            #expect(commits.count == 80)
            #expect(try catalog.read { try $0.lastSequence() } == commits.last?.sequence)
        },
        CatalogRule("changes to rows that are not there change nothing") { catalog throws in
            let repo = try catalog.write { try $0.makeRepo("a") }
            try catalog.write { writer throws in
                try writer.deleteRepo(id: repo.id + 5)
                try writer.deleteBranch(id: 5)
                try writer.deleteCommit(sequence: 5)
                try writer.deletePipeline(PipelineKey(name: "none"))
                try writer.deleteLaunch(PipelineKey(name: "none"))
                try writer.setHead(branch: 5, to: 5, at: Instant(nanoseconds: 5))
                try writer.setSetting("none", to: nil)
            }
            #expect(try catalog.read { try $0.repos(in: nil, type: nil) } == [repo])
        },
    ]
}
