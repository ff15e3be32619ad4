import Backends
import Core
import Logging
import Simulation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the process launcher does beyond the rules of all launchers (`LauncherSuite`).
@Suite(.timeLimit(.minutes(15))) struct ProcessLauncherTests {
    private final class Scene: Sendable {
        let folder = TemporaryFolder()
        let launcher: ProcessLauncher
        let output = ScriptedMailbox<LaunchOutput>()

        init() throws {
            launcher = try ProcessLauncher(
                root: folder.path + "/runs", logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        }

        deinit { folder.remove() }

        func order(_ command: [String], epoch: Int64 = 1, configure: (inout LaunchOrder) -> Void = { _ in })
            -> LaunchOrder
        {
            let output = output
            var order = LaunchOrder(
                pipeline: PipelineKey(name: "p"), epoch: epoch, command: command,
                environment: [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("A", "1")], output: { output.put($0) })
            configure(&order)
            return order
        }

        func run(_ script: String, configure: (inout LaunchOrder) -> Void = { _ in }) async throws -> LaunchExit {
            try await launcher.wait(try await launcher.start(order(["sh", "-c", script], configure: configure)))
        }

        var lines: [String] { output.untaken.map(\.line) }
    }

    @Test func onlyTheGivenEnvironmentIsThere() async throws {
        setenv("SPILE_TEST_SECRET", "x", 1)
        let scene = try Scene()
        _ = try await scene.run("env -u _ -u PWD -u SHLVL -u OLDPWD env | grep -v SPILE_RUN_FOLDER | sort")
        #expect(scene.lines == ["A=1", "PATH=/usr/local/bin:/usr/bin:/bin"])
    }

    @Test func noFileOfTheServerIsOpenInTheProgram() async throws {
        let leak = open("/dev/null", O_RDONLY)
        defer { close(leak) }
        let scene = try Scene()
        // A shell opens files of its own; `ls` has one, the folder it lists.
        _ = try await scene.launcher.wait(try await scene.launcher.start(scene.order(["ls", "/proc/self/fd"])))
        #expect(scene.lines == ["0", "1", "2", "3"])
    }

    @Test func filesOfTheOrderAreInThePrivateFolderWhichGoesWithTheRun() async throws {
        let scene = try Scene()
        _ = try await scene.run("cat $CONFIG; pwd; stat -c %a $CONFIG; touch made; ls -d ..") { order in
            order.files = [(path: "etc/config.json", bytes: Array("{}\n".utf8), mode: 0o600)]
            order.fileVariables = [(name: "CONFIG", path: "etc/config.json")]
        }
        #expect(scene.lines[0] == "{}")
        #expect(scene.lines[1] == scene.folder.path + "/runs/default/p/1/work")
        #expect(scene.lines[2] == "600")
        #expect(access(scene.folder.path + "/runs/default/p/1", F_OK) != 0)
    }

    @Test(arguments: [
        (["no-such-program"], "", "", "transform.cmd[0]: there is no program \"no-such-program\""),
        (["/no/such"], "", "", "cannot start /no/such"),
        (["sh"], "/no/folder", "", "transform.working_dir: there is no folder /no/folder"),
        (["sh"], "", "no-such-user", "transform.user: there is no user \"no-such-user\""),
        ([], "", "", "nothing to run: no transform.cmd"),
    ])
    func whatCannotStartSaysWhy(_ command: [String], _ folder: String, _ user: String, _ text: String) async throws {
        let scene = try Scene()
        let order = scene.order(command) {
            $0.workingDirectory = folder
            $0.user = user
        }
        let error = try await #require(throws: SpileError.self) { try await scene.launcher.start(order) }
        #expect("\(error)".contains(text), "\(error)")
    }

    @Test func theChildrenHaveTheGraceTooWhenTheirShellEndsAtOnce() async throws {
        let scene = try Scene()
        let handle = try await scene.launcher.start(
            scene.order([
                "sh", "-c",
                "sh -c 'trap \"sleep 0.05; echo drained; exit\" TERM; echo up; while :; do sleep 0.01; done'; true",
            ]))
        _ = await scene.output.next()
        await scene.launcher.stop(handle, grace: 30)
        #expect(scene.lines.contains("drained"))
    }

    @Test func theWholeGroupGoesWhenTheProgramEnds() async throws {
        let scene = try Scene()
        _ = try await scene.run("sleep 1000 & echo $!; setsid sleep 1000 & echo $!; exit 0")
        for line in scene.lines {
            let child = try #require(pid_t(line))
            #expect(Self.isGone(child), "process \(child) is left")
        }
        #expect(scene.lines.count == 2)
    }

    /// Whether a process is no more, or waits only for its parent to ask after it.
    private static func isGone(_ number: pid_t) -> Bool {
        guard let file = fopen("/proc/\(number)/stat", "r") else { return true }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self).contains(") Z ")
    }

    @Test func aHandleOfAnotherBootIsNotAlive() async throws {
        let scene = try Scene()
        #expect(await !scene.launcher.isAlive(LaunchHandle("\(getpid()):1:another-boot")))
        #expect(await !scene.launcher.isAlive(LaunchHandle("nonsense")))
        await scene.launcher.stop(LaunchHandle("\(getpid()):1:another-boot"), grace: 0)
        await #expect(throws: SpileError.self) { try await scene.launcher.wait(LaunchHandle("1:1:x")) }
    }

    @Test(.enabled(if: geteuid() == 0)) func rootRunsCodeAsTheUserOfTheSpec() async throws {
        let scene = try Scene()
        chmod(scene.folder.path, 0o755)
        _ = try await scene.run("id -u; id -g; cat $F; touch here && echo ok; grep CapEff /proc/self/status") {
            $0.user = "65534:12"
            $0.files = [(path: "f", bytes: Array("f\n".utf8), mode: 0o600)]
            $0.fileVariables = [(name: "F", path: "f")]
        }
        #expect(scene.lines == ["65534", "12", "f", "ok", "CapEff:\t0000000000000000"])
        #expect(geteuid() == 0)
        #expect(try await scene.run("id -u") == .exited(code: 0))
        #expect(scene.lines.last == "0")
    }

    @Test(.enabled(if: geteuid() == 0)) func aFailedStartAsAnotherUserLeavesNothing() async throws {
        let scene = try Scene()
        chmod(scene.folder.path, 0o755)
        await #expect(throws: SpileError.self) {
            try await scene.launcher.start(scene.order(["/no/such"]) { $0.user = "65534:12" })
        }
        #expect(TemporaryFolder.names(of: scene.folder.path + "/runs/default/p") == [])
    }

    @Test func filesForAnotherUserAreThatUsers() throws {
        let scene = try Scene()
        #expect(try scene.launcher.pfsOwner(of: scene.order(["sh"])) == .server)
        let own = "\(geteuid()):\(getegid())"
        #expect(try scene.launcher.pfsOwner(of: scene.order(["sh"]) { $0.user = own }) == .server)
        let other = scene.order(["sh"]) { $0.user = "65533:12" }
        if geteuid() == 0 {
            #expect(try scene.launcher.pfsOwner(of: other) == .user(65533, group: 12))
        } else {
            #expect(throws: SpileError.self) { try scene.launcher.pfsOwner(of: other) }
        }
    }

    @Test func toolsAreLinksToTheServersOwnProgram() throws {
        let folder = TemporaryFolder()
        defer { folder.remove() }
        for _ in 0..<2 { try ToolFolder.install(in: folder.path + "/bin", executable: "/bin/true") }
        #expect(TemporaryFolder.names(of: folder.path + "/bin") == ["pachctl", "spile"])
    }
}
