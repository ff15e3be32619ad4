import Backends
import Core
import Foundation
import Logging
import Simulation
import Testing

/// What the container launcher does beyond the rules of all launchers (`LauncherSuite`).
@Suite(.enabled(if: ContainerTesting.isReady, "there is no image to test with: run Scripts/test-image.sh"))
struct ContainerLauncherTests {
    private static let endless = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done"

    @Test func theImagesVariablesAndFolderAreTaken() async throws {
        let scene = try LauncherScene(.container)
        _ = try await scene.run("echo $IMAGE_SAYS; pwd; echo $PATH; ls /pach-bin") {
            $0.image?.environment.removeAll { $0.name == "PATH" }
        }
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/pach-bin"
        #expect(scene.lines == ["hello", "/tmp", path, "pachctl", "spile"])
    }

    @Test func filesAreReadOnlyAndTheScratchFolderIsNot() async throws {
        let scene = try LauncherScene(.container)
        let script = "touch /pachctl/x || echo no; touch /pach-bin/spile || echo no; touch /pfs/x && echo yes"
        _ = try await scene.run(script) {
            $0.files = [(path: "f", bytes: [], mode: 0o600)]
            $0.user = "nobody"
        }
        #expect(scene.output.untaken.filter { $0.stream == .standardOutput }.map(\.line) == ["no", "no", "yes"])
    }

    @Test(arguments: [
        ("no-such-image:1", "", "transform.image: there is no image \"no-such-image:1\""),
        (ContainerTesting.image, "no-such-user", "no-such-user"),
    ])
    func whatCannotStartSaysWhyAndLeavesNothing(_ image: String, _ user: String, _ text: String) async throws {
        let scene = try LauncherScene(.container)
        let order = scene.order(["true"]) {
            $0.image?.name = image
            $0.user = user
        }
        let error = try await #require(throws: SpileError.self) { try await scene.launcher.start(order) }
        // Podman in the place of docker's engine does not pass on what it says of a user.
        if user.isEmpty || ContainerTesting.command == "podman" { #expect("\(error)".contains(text), "\(error)") }
        #expect(TemporaryFolder.names(of: scene.folder.path + "/runs/default/p") == [])
        #expect(Self.containers(scene) == [])
    }

    @Test func aProgramThatTheImageDoesNotHaveIsNamedInTheOutput() async throws {
        let scene = try LauncherScene(.container)
        let exit = try await scene.launcher.wait(try await scene.launcher.start(scene.order(["no-such-program"])))
        #expect(exit != .exited(code: 0))
        #expect(scene.lines.joined().contains("failed to exec") || scene.lines.joined().contains("no-such-program"))
    }

    @Test func anAttachmentThatIsLostIsMadeAnew() async throws {
        let scene = try LauncherScene(.container)
        let handle = try await scene.start(Self.endless)
        #expect(await scene.output.next().line == "0")
        let attached = Self.processes { $0.contains("start") && $0.contains(handle.text) }
        #expect(!attached.isEmpty)
        for process in attached { kill(process, SIGKILL) }
        _ = await scene.output.next { _ in Self.processes { $0.contains("attach") && $0.contains(handle.text) } != [] }
        _ = await scene.output.next()
        #expect(await scene.launcher.isAlive(handle))
        await scene.launcher.stop(handle, grace: 0)
        #expect(try await scene.launcher.wait(handle) == .signalled(number: 9))
    }

    @Test func aContainerThatSomebodyRemovesHasEndedUnseen() async throws {
        let scene = try LauncherScene(.container)
        let handle = try await scene.start(Self.endless)
        _ = await scene.output.next()
        ContainerTesting.run(["rm", "--force", handle.text])
        #expect([.unknown, .signalled(number: 9)].contains(try await scene.launcher.wait(handle)))
    }

    @Test func aNewLaunchEndsAnOlderOneThatNobodyWatches() async throws {
        let scene = try LauncherScene(.container)
        let old = try await scene.start(Self.endless)
        _ = await scene.output.next()
        let later = try scene.backend.open(scene.folder.path)
        let new = try await later.start(scene.order(["sh", "-c", Self.endless]) { $0.epoch = 2 })
        _ = try await scene.launcher.wait(old)
        #expect(await !later.isAlive(old))
        #expect(Self.containers(scene) == [new.text])
        await later.stop(new, grace: 0)
    }

    /// The containers of a scene, ended ones included.
    private static func containers(_ scene: LauncherScene) -> [String] {
        let label = "label=io.spile.data=\(scene.folder.path.suffix(6))"
        return ContainerTesting.output(["ps", "--all", "--quiet", "--no-trunc", "--filter", label])
    }

    /// Processes whose arguments `isWanted` takes.
    private static func processes(_ isWanted: ([String]) -> Bool) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { number in
            guard let bytes = FileManager.default.contents(atPath: "/proc/\(number)/cmdline") else { return false }
            return isWanted(bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) })
        }
    }
}

/// What containers are given as `pachctl`.
@Suite struct ToolBinaryTests {
    @Test func aToolThatIsNotThereIsRefused() throws {
        let error = try #require(throws: SpileError.self) {
            try ContainerLauncher(
                root: "/nowhere", options: ContainerOptions(command: "/bin/true", toolBinary: "/no/such", owner: "x"),
                environment: [:], logger: Logger(label: "test"))
        }
        #expect("\(error)".contains("there is no file /no/such to give to containers as pachctl"))
    }
}
