import Backends
import Core
import Foundation
import Simulation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What every worker does, whatever launched it. For the container half `SPILE_STATIC` has to name a static `spile`.
@Suite(.timeLimit(.minutes(15))) struct WorkerTests {
    private static let endless = "echo up; while :; do sleep 0.01; done"

    @Test(arguments: WorkerScene.settings)
    func oneRunFollowsTheOtherInTheSameLaunch(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        for number in 0..<20 {
            let end = await worker.run(scene.script("echo \(number); echo bad >&2; printf last; exit \(number)"))
            #expect(end.exit == .exited(code: Int32(number)))
            let output = scene.output.untaken.suffix(3)
            #expect(output.filter { $0.stream == .standardOutput }.map(\.line) == ["\(number)", "last"])
            #expect(output.filter { $0.stream == .standardError }.map(\.line) == ["bad"])
        }
        #expect(worker.isAlive)
        await worker.stop()
        #expect(!worker.isAlive)
        #expect(TemporaryFolder.names(of: scene.folder.path + "/runs/default/p") == [])
    }

    @Test(arguments: WorkerScene.settings)
    func aRunHasTheLaunchsVariablesAndOverThemItsOwn(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        let run = scene.script("echo $A $B \"$C\"") { $0.variables = [("B", "own"), ("C", "x = 'y'\nz")] }
        #expect(await worker.run(run).exit == .exited(code: 0))
        #expect(await worker.run(scene.script("echo $A $B $C")).exit == .exited(code: 0))
        #expect(scene.lines == ["1 own x = 'y'", "z", "1 base"])
        await worker.stop()
    }

    @Test(arguments: WorkerScene.settings)
    func inputOfAnySizeIsReadAndNoneIsEmpty(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        let input = Array(repeating: UInt8(ascii: "x"), count: 3_000_000)
        #expect(await worker.run(scene.script("wc -c") { $0.standardInput = input }).exit == .exited(code: 0))
        #expect(await worker.run(scene.script("wc -c")).exit == .exited(code: 0))
        #expect(scene.lines.map { $0.trimmingCharacters(in: .whitespaces) } == ["3000000", "0"])
        await worker.stop()
    }

    @Test(arguments: WorkerScene.settings)
    func whatIsPutAtPfsBetweenRunsIsThereForTheNext(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        for name in ["a", "b"] {
            let beside = scene.folder.path + "/" + name
            try FileManager.default.createDirectory(atPath: beside, withIntermediateDirectories: true)
            try "in \(name)\n".write(toFile: beside + "/f", atomically: true, encoding: .utf8)
            #expect(rename(beside, scene.pfs + "/in") == 0)
            let run = scene.script("cat f; pwd; echo out > /pfs/in/made") { $0.workingDirectory = "/pfs/in" }
            #expect(await worker.run(run).exit == .exited(code: 0))
            #expect(rename(scene.pfs + "/in", beside) == 0)
            #expect(TemporaryFolder.names(of: beside) == ["f", "made"])
        }
        #expect(scene.lines == ["in a", "/pfs/in", "in b", "/pfs/in"])
        await worker.stop()
    }

    @Test(arguments: WorkerScene.settings)
    func nothingOfARunIsLeftWhenItIsOver(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        // One in the group, one in a session of its own, and one whose parents are gone.
        let script = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & exit') & sleep 0.05; exit 3"
        #expect(await worker.run(scene.script(script)).exit == .exited(code: 3))
        #expect(await worker.run(scene.script("ps -o args 2>/dev/null | grep -c '[s]leep 1000'")).exit != nil)
        let left = await worker.run(
            scene.script("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[s]leep 1000'"))
        #expect(setting.backend == .process || left.exit == .exited(code: 1))
        if setting.backend == .process { #expect(Self.children(named: "sleep", below: scene.folder.path) == []) }
        await worker.stop()
    }

    /// Processes that bear the launch's folder in their environment.
    private static func children(named name: String, below folder: String) -> [String] {
        TemporaryFolder.names(of: "/proc").filter { entry in
            guard entry.allSatisfy(\.isNumber),
                let environment = FileManager.default.contents(atPath: "/proc/\(entry)/environ"),
                let command = FileManager.default.contents(atPath: "/proc/\(entry)/comm")
            else { return false }
            return String(decoding: environment, as: UTF8.self).contains(folder)
                && String(decoding: command, as: UTF8.self).hasPrefix(name)
        }
    }

    @Test(arguments: WorkerScene.settings)
    func aRunIsKilledByCancellationAndTheWorkerGoesOn(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        let task = Task { await worker.run(scene.script("trap '' TERM INT; \(Self.endless)")) }
        #expect(await scene.output.next().line == "up")
        task.cancel()
        #expect(await task.value.exit == .signalled(number: 9))
        #expect(await worker.run(scene.script("exit 2")).exit == .exited(code: 2))
        await worker.stop()
    }

    @Test func aRunThatIsCancelledBeforeItBeginsIsKilledToo() async throws {
        let scene = try WorkerScene()
        let worker = try await scene.start()
        let task = Task { () -> WorkerRunEnd in
            withUnsafeCurrentTask { $0?.cancel() }
            return await worker.run(scene.script(Self.endless))
        }
        #expect(await task.value.exit == .signalled(number: 9))
        await worker.stop()
    }

    @Test(arguments: WorkerScene.settings)
    func whatCannotBeRunSaysWhyAndTheWorkerGoesOn(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        for (run, text) in [
            (WorkerRun(command: ["no-such-program"], output: { _ in }), "there is no program \"no-such-program\""),
            (WorkerRun(command: ["/no/such"], output: { _ in }), "cannot start /no/such"),
            (WorkerRun(command: [], output: { _ in }), "nothing to run: no transform.cmd"),
            (scene.script("true") { $0.workingDirectory = "/pfs/absent" }, "transform.working_dir"),
        ] {
            let error = try #require(await worker.run(run).refusal)
            #expect("\(error)".contains(text), "\(error)")
        }
        #expect(await worker.run(scene.script("true")).exit == .exited(code: 0))
        await worker.stop()
    }

    @Test(arguments: WorkerScene.settings)
    func aRunIsLostWithItsWorker(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        let run = Task { await worker.run(scene.script(Self.endless)) }
        #expect(await scene.output.next().line == "up")
        await worker.stop()
        #expect(await run.value.isLost)
        #expect(!worker.isAlive)
        #expect(await worker.run(scene.script("true")).isLost)
    }

    @Test func codeThatEndsItsWorkerIsLostToo() async throws {
        let scene = try WorkerScene()
        let worker = try await scene.start()
        #expect(await worker.run(scene.script("kill -9 $PPID; \(Self.endless)")).isLost)
        #expect(await worker.end() == .signalled(number: 9))
        #expect(Self.children(named: "sh", below: scene.folder.path) == [])
    }

    @Test(arguments: WorkerScene.settings)
    func aWorkerOfAnEarlierServerIsEnded(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        let worker = try await scene.start()
        let run = Task { await worker.run(scene.script(Self.endless)) }
        #expect(await scene.output.next().line == "up")
        let later = try WorkerScene.launcher(setting.backend, scene.folder.path)
        await later.endLeftovers(grace: 0)
        // It may see its code ended before it is ended itself.
        #expect(await run.value.exit != .exited(code: 0))
        _ = await worker.end()
        #expect(Self.children(named: "sh", below: scene.folder.path) == [])
    }

    @Test(.enabled(if: geteuid() == 0), arguments: WorkerScene.settings)
    func codeRunsAsTheUserOfTheWorker(_ setting: WorkerSetting) async throws {
        let scene = try WorkerScene(setting)
        chmod(scene.folder.path, 0o755)
        let worker = try await scene.start { $0.user = "65534:12" }
        #expect(await worker.run(scene.script("id -u; id -g")).exit == .exited(code: 0))
        #expect(scene.lines == ["65534", "12"])
        await worker.stop()
    }

    @Test func aWorkerThatDoesNotComeUpIsAnErrorThatSaysWhatItSaid() async throws {
        let scene = try WorkerScene()
        let launcher = try ProcessLauncher(
            root: scene.folder.path + "/other", tool: "/bin/ls", logger: .init(label: "test"))
        let error = try await #require(throws: SpileError.self) {
            try await WorkerScene.host(launcher).start(scene.order())
        }
        #expect(error.isTransient)
        #expect("\(error)".contains("worker"), "\(error)")
        #expect(TemporaryFolder.names(of: scene.folder.path + "/other/default/p") == [])
    }

    @Test func launchersWithoutAProgramKeepNoWorkers() throws {
        let scene = try WorkerScene()
        let bare = try ProcessLauncher(root: scene.folder.path + "/other", logger: .init(label: "test"))
        #expect(WorkerScene.host(bare).place(of: scene.order()) == nil)
        #expect(scene.host.place(of: scene.order()) == .near)
        let far = FarLauncher(scene.launcher, folder: scene.folder.path)
        #expect(WorkerScene.host(far).place(of: scene.order()) == nil)
    }
}
