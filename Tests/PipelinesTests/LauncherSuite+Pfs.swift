import Core
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension LauncherSuite {
    /// What a program with a `pfsFolder` finds at `/pfs`. Empty where this machine has no `/pfs` and the tests may not
    /// make one: then a process is refused its start, which is tested elsewhere.
    static let pfs = geteuid() == 0 || access("/pfs", F_OK) == 0 ? folders + lives + refusals : refusals

    private static let folders = [
        LauncherRule("a program sees the files of its pfs folder, and what it writes is there afterwards") {
            scene async throws in
            let folder = try scene.pfs()
            let exit = try await scene.run(
                "cat /pfs/in/f; mkdir /pfs/out/d; echo made > /pfs/out/d/g; sh -c 'echo child >> /pfs/out/d/g'"
            ) { $0.pfsFolder = folder }
            #expect(exit == .exited(code: 0))
            #expect(scene.lines == ["given"])
            #expect(try scene.text("pfs/out/d/g") == "made\nchild\n")
        },
        LauncherRule("a program starts in its pfs folder where the spec says so") { scene async throws in
            let folder = try scene.pfs()
            for (place, wanted) in [("/pfs", "in\nout"), ("/pfs/in", "f")] {
                _ = try await scene.run("pwd; ls") {
                    $0.pfsFolder = folder
                    $0.workingDirectory = place
                }
                #expect(scene.lines.joined(separator: "\n").hasSuffix("\(place)\n\(wanted)"))
            }
        },
        LauncherRule("another user writes to a pfs folder that is the user's") { scene async throws in
            if geteuid() != 0 { return }
            chmod(scene.folder.path, 0o755)
            let folder = try scene.pfs()
            var order = scene.order(["sh", "-c", "id -u; cat /pfs/in/f; echo mine > /pfs/out/g; exit 3"])
            order.user = "65534:12"
            order.pfsFolder = folder
            switch try scene.launcher.pfsOwner(of: order) {
            case .server: Issue.record("another user has a folder of the server's")
            case .user(let user, let group): for path in ["", "/out"] { chown(folder + path, user, group) }
            case .everybody: for path in ["", "/out"] { chmod(folder + path, 0o777) }
            }
            #expect(try await scene.launcher.wait(try await scene.launcher.start(order)) == .exited(code: 3))
            #expect(scene.lines == ["65534", "given"])
            #expect(try scene.text("pfs/out/g") == "mine\n")
        },
    ]

    private static let lives = [
        LauncherRule("launches at once see each their own pfs, and the machine's mounts stay as they are") {
            scene async throws in
            let own = try? FileManager.default.contentsOfDirectory(atPath: "/pfs")
            var handles: [LaunchHandle] = []
            for name in ["a", "b"] {
                let folder = try scene.pfs(name)
                handles.append(
                    try await scene.start(
                        "trap '' TERM; cat /pfs/in/f; touch /pfs/out/$A; while :; do sleep 0.01; done"
                    ) {
                        $0.pipeline = PipelineKey(name: name)
                        $0.pfsFolder = folder
                        $0.environment.append(("A", name))
                        $0.image?.environment.append(("A", name))
                    })
                #expect(await scene.output.next().line == (name == "a" ? "given" : "given b"))
            }
            // What else mounts on this machine meanwhile is not the launcher's: its mounts bear these names.
            let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
            #expect(!mounts.contains(" /pfs ") && !mounts.contains(scene.folder.path))
            if let own { #expect(try FileManager.default.contentsOfDirectory(atPath: "/pfs") == own) }
            for handle in handles { await scene.launcher.stop(handle, grace: 0) }
            for handle in handles { #expect(try await scene.launcher.wait(handle) == .signalled(number: 9)) }
            for name in ["a", "b"] { #expect(TemporaryFolder.names(of: scene.folder.path + "/\(name)/out") == [name]) }
        },
        LauncherRule("a stop reaches a program with a pfs folder, and the folder is free afterwards") {
            scene async throws in
            let folder = try scene.pfs()
            let handle = try await scene.start(
                "trap 'echo drained > /pfs/out/end; exit 3' TERM; echo up; while :; do sleep 0.01; done"
            ) { $0.pfsFolder = folder }
            _ = await scene.output.next()
            #expect(await scene.launcher.isAlive(handle))
            await scene.launcher.stop(handle, grace: 30)
            #expect(try await scene.launcher.wait(handle) == .exited(code: 3))
            #expect(try scene.text("pfs/out/end") == "drained\n")
            try FileManager.default.removeItem(atPath: folder)
        },
        LauncherRule("a program with a pfs folder that an earlier server left is ended") { scene async throws in
            let folder = try scene.pfs()
            let handle = try await scene.start("echo up; while :; do sleep 0.01; done") { $0.pfsFolder = folder }
            _ = await scene.output.next()
            let later = try scene.backend.open(scene.folder.path)
            #expect(await later.isAlive(handle))
            await later.endLeftovers(grace: 0)
            #expect(await !later.isAlive(handle))
            _ = try await scene.launcher.wait(handle)
            try FileManager.default.removeItem(atPath: folder)
        },
        LauncherRule("files of the order and secrets are there beside a pfs folder") { scene async throws in
            let folder = try scene.pfs()
            _ = try await scene.run("cat $F $SPILE_SECRETS_S/k") {
                $0.pfsFolder = folder
                $0.files = [(path: "f", bytes: Array("f\n".utf8), mode: 0o600)]
                $0.fileVariables = [(name: "F", path: "f")]
                $0.secretFiles = [
                    LaunchMount(secret: "s", path: "/secret", files: [(name: "k", bytes: Array("k\n".utf8))])
                ]
            }
            #expect(scene.lines == ["f", "k"])
        },
    ]

    private static let refusals = [
        LauncherRule("a pfs folder that is not there is an error, and nothing is left of the launch") {
            scene async throws in
            let folder = scene.folder.path + "/absent"
            let error = try await #require(throws: SpileError.self) {
                try await scene.start("echo ran") { $0.pfsFolder = folder }
            }
            #expect("\(error)".contains(folder))
            #expect(scene.lines == [])
            #expect(try await scene.leftovers() == [])
        }
    ]
}

extension LauncherScene {
    /// A folder for `/pfs` with `in/f` and `out`.
    func pfs(_ name: String = "pfs") throws -> String {
        let path = "\(folder.path)/\(name)"
        for child in ["in", "out"] {
            try FileManager.default.createDirectory(atPath: "\(path)/\(child)", withIntermediateDirectories: true)
        }
        let text = name == "b" ? "given b\n" : "given\n"
        try text.write(toFile: "\(path)/in/f", atomically: false, encoding: .utf8)
        return path
    }

    func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(folder.path)/\(path)", encoding: .utf8)
    }
}
