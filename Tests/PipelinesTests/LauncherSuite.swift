import Core
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The rules of the seam `Launcher`, each as a check over any launcher that has run nothing yet.
enum LauncherSuite {
    static let all = starts + outputs + inputs + ends + stops + leftovers + pfs

    /// Prints `up`, then runs until a signal ends it.
    private static let endless = "echo up; while :; do sleep 0.01; done"

    private static let starts = [
        LauncherRule("a run is alive from its start to its end") { scene async throws in
            let handle = try await scene.start("echo up; read line; " + endless)
            _ = await scene.output.next()
            #expect(await scene.launcher.isAlive(handle))
            await scene.launcher.stop(handle, grace: 0)
            #expect(await !scene.launcher.isAlive(handle))
        },
        LauncherRule("runs of several pipelines stand side by side") { scene async throws in
            let handles = try await withThrowingTaskGroup(of: LaunchHandle.self) { group in
                for name in ["a", "b", "c"] {
                    let order = scene.order(["sh", "-c", endless]) { $0.pipeline = PipelineKey(name: name) }
                    group.addTask { try await scene.launcher.start(order) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(handles).count == 3)
            for _ in 0..<3 { #expect(await scene.output.next().line == "up") }
            for handle in handles { await scene.launcher.stop(handle, grace: 0) }
        },
        LauncherRule("runs of one launch start side by side") { scene async throws in
            let handles = try await withThrowingTaskGroup(of: LaunchHandle.self) { group in
                for number in 0..<4 {
                    let order = scene.order(["sh", "-c", endless]) { $0.run = "\(number)" }
                    group.addTask { try await scene.launcher.start(order) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for _ in handles { #expect(await scene.output.next().line == "up") }
            for handle in handles { #expect(await scene.launcher.isAlive(handle)) }
            for handle in handles { await scene.launcher.stop(handle, grace: 0) }
        },
        LauncherRule("nothing to run is an error that says so") { scene async throws in
            let error = try await #require(throws: SpileError.self) {
                try await scene.launcher.start(scene.order([]))
            }
            #expect("\(error)".contains("nothing to run: no transform.cmd"))
        },
        LauncherRule("after a start that failed the same launch can be started") { scene async throws in
            await #expect(throws: SpileError.self) {
                try await scene.launcher.start(scene.order(["sh", "-c", "true"]) { $0.user = "no-such-user" })
            }
            #expect(try await scene.run("exit 4") == .exited(code: 4))
        },
    ]

    private static let outputs = [
        LauncherRule("lines come by stream, also the last without its end") { scene async throws in
            _ = try await scene.run("echo one; echo two; printf three; echo bad >&2")
            let output = scene.output.untaken
            if !scene.backend.tellsStreams {
                #expect(output.map(\.line).sorted() == ["bad", "one", "three", "two"])
                return
            }
            #expect(output.filter { $0.stream == .standardOutput }.map(\.line) == ["one", "two", "three"])
            #expect(output.filter { $0.stream == .standardError }.map(\.line) == ["bad"])
        },
        LauncherRule("long lines come in pieces and bad bytes are mended") { scene async throws in
            _ = try await scene.run("head -c 150000 /dev/zero | tr '\\0' x; printf '\\n\\377\\r\\n'")
            #expect(scene.lines.map(\.count) == [65536, 65536, 18928, 1])
            #expect(scene.lines.last == "\u{fffd}")
        },
        LauncherRule("all that was printed is there when the end is told") { scene async throws in
            _ = try await scene.run("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done")
            #expect(scene.lines.count == 3000)
            #expect(scene.lines.last == "line 2999")
        },
        LauncherRule("a line comes while the program runs") { scene async throws in
            let handle = try await scene.start(endless)
            #expect(await scene.output.next() == LaunchOutput(stream: .standardOutput, line: "up"))
            await scene.launcher.stop(handle, grace: 0)
        },
    ]

    private static let inputs = [
        LauncherRule("the standard input is given, or empty") { scene async throws in
            _ = try await scene.run("cat") { $0.standardInput = Array("a\nb\n".utf8) }
            _ = try await scene.run("cat; echo end")
            #expect(scene.lines == ["a", "b", "end"])
        },
        LauncherRule("a large standard input that nobody reads hinders nothing") { scene async throws in
            let input = [UInt8](repeating: 10, count: scene.backend.longestInput)
            let exit = try await scene.run("exit 0") { $0.standardInput = input }
            #expect(exit == .exited(code: 0))
        },
        LauncherRule("variables come as they were given") { scene async throws in
            _ = try await scene.run("printf '%s|%s|%s\\n' \"$A\" \"$B\" \"$C\"") { order in
                order.environment.append(("C", "x\ny"))
                order.image?.environment.append(("C", "x\ny"))
            }
            #expect(scene.lines == ["1 2|'q\"|x", "y"])
        },
        LauncherRule("nothing of the server's environment is there") { scene async throws in
            _ = try await scene.run("env")
            let known = [
                "A", "B", "PATH", "_", "PWD", "SHLVL", "OLDPWD", "SPILE_RUN_FOLDER", "HOME", "HOSTNAME", "TERM",
                "container", "IMAGE_SAYS", "PACH_NAMESPACE", "PPS_POD_NAME", "PPS_WORKER_IP",
            ]
            let names = scene.lines.map { String($0.prefix { $0 != "=" }) }
            #expect(names.filter { !known.contains($0) } == [])
        },
        LauncherRule("files of the order are readable, and can be run where their mode says so") { scene async throws in
            _ = try await scene.run("cat $CONFIG; $TOOL; test -x $CONFIG || echo plain") { order in
                order.files = [
                    (path: "etc/config.json", bytes: Array("{}\n".utf8), mode: 0o600),
                    (path: "tool", bytes: Array("#!/bin/sh\necho ran\n".utf8), mode: 0o700),
                ]
                order.fileVariables = [
                    (name: "CONFIG", path: "etc/config.json"), (name: "TOOL", path: "tool"),
                ]
            }
            #expect(scene.lines == ["{}", "ran", "plain"])
        },
        LauncherRule("the working folder of the spec is taken") { scene async throws in
            _ = try await scene.run("pwd") { $0.workingDirectory = "/usr" }
            #expect(scene.lines == ["/usr"])
        },
        LauncherRule("code runs as the user of the spec, who can read the files") { scene async throws in
            if geteuid() != 0 { return }
            chmod(scene.folder.path, 0o755)
            _ = try await scene.run("id -u; id -g; cat $F") {
                $0.user = "65534:12"
                $0.files = [(path: "f", bytes: Array("f\n".utf8), mode: 0o600)]
                $0.fileVariables = [(name: "F", path: "f")]
            }
            #expect(scene.lines == ["65534", "12", "f"])
        },
    ]

    private static let ends = [
        LauncherRule("exit codes are told") { scene async throws in
            for code: Int32 in [0, 1, 7, 127, 255] {
                #expect(try await scene.run("exit \(code)") == .exited(code: code))
            }
        },
        LauncherRule("ending signals are told") { scene async throws in
            #expect(try await scene.run("kill -9 $$") == .signalled(number: 9))
            #expect(try await scene.run("kill -15 $$") == .signalled(number: 15))
        },
        LauncherRule("children go when the program ends") { scene async throws in
            _ = try await scene.run(
                "sh -c 'while :; do echo here; touch up; sleep 0.01; done' & until [ -e up ]; do sleep 0.01; done")
            let count = scene.lines.count
            #expect(try await scene.run("exit 0") == .exited(code: 0))
            #expect(count > 0)
            #expect(scene.lines.count == count, "it still prints")
        },
        LauncherRule("an end can be waited for once, and a stranger's not at all") { scene async throws in
            let handle = try await scene.start("exit 0")
            _ = try await scene.launcher.wait(handle)
            for unknown in [handle, LaunchHandle("nonsense")] {
                await #expect(throws: SpileError.self) { try await scene.launcher.wait(unknown) }
                #expect(await !scene.launcher.isAlive(unknown))
                await scene.launcher.stop(unknown, grace: 0)
            }
        },
    ]

    private static let stops = [
        LauncherRule("stop sends SIGTERM and leaves time to finish") { scene async throws in
            let handle = try await scene.start("trap 'echo drained; exit 3' TERM; " + endless)
            _ = await scene.output.next()
            async let exit = scene.launcher.wait(handle)
            await scene.launcher.stop(handle, grace: 30)
            #expect(try await exit == .exited(code: 3))
            #expect(scene.lines.contains("drained"))
        },
        LauncherRule("a program that does not care for signals ends by SIGTERM") { scene async throws in
            let handle = try await scene.launcher.start(scene.order(["sh", "-c", "echo up; exec sleep 1000"]))
            _ = await scene.output.next()
            async let exit = scene.launcher.wait(handle)
            await scene.launcher.stop(handle, grace: 30)
            #expect(try await exit == .signalled(number: 15))
        },
        LauncherRule("a program deaf to SIGTERM is killed after the grace") { scene async throws in
            let handle = try await scene.start("trap '' TERM; " + endless)
            _ = await scene.output.next()
            async let exit = scene.launcher.wait(handle)
            await scene.launcher.stop(handle, grace: 0.05)
            #expect(try await exit == .signalled(number: 9))
        },
        LauncherRule("a second stop may shorten the grace") { scene async throws in
            let handle = try await scene.start("trap '' TERM; " + endless)
            _ = await scene.output.next()
            async let slow: Void = scene.launcher.stop(handle, grace: 1000)
            await scene.launcher.stop(handle, grace: 0)
            await slow
            #expect(try await scene.launcher.wait(handle) == .signalled(number: 9))
        },
        LauncherRule("a stop by a cancelled task stops all the same") { scene async throws in
            let handle = try await scene.start("trap '' TERM; " + endless)
            _ = await scene.output.next()
            let stop = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                await scene.launcher.stop(handle, grace: 0.05)
            }
            await stop.value
            #expect(await !scene.launcher.isAlive(handle))
        },
    ]

    private static let leftovers = [
        LauncherRule("a later server sees and ends what a crash left") { scene async throws in
            let handle = try await scene.start("trap '' TERM; " + endless)
            _ = await scene.output.next()
            let later = try scene.backend.open(scene.folder.path)
            #expect(await later.isAlive(handle))
            await later.endLeftovers(grace: 0.05)
            #expect(await !later.isAlive(handle))
            _ = try await scene.launcher.wait(handle)
        },
        LauncherRule("leftovers have the grace too") { scene async throws in
            let handle = try await scene.start("trap 'echo drained; exit 3' TERM; " + endless)
            _ = await scene.output.next()
            let later = try scene.backend.open(scene.folder.path)
            await later.endLeftovers(grace: 30)
            _ = try await scene.launcher.wait(handle)
            #expect(scene.lines.contains("drained"))
        },
        LauncherRule("nothing of a run is left in the launcher's folder") { scene async throws in
            #expect(try await scene.run("true") == .exited(code: 0))
            #expect(try await scene.leftovers() == [])
        },
    ]
}
