import CSpawn
import Core
import Foundation
import Testing

@testable import Backends

/// What a `/pfs` of a process's own needs of the machine. What a program sees of it, `LauncherSuite` shows.
@Suite struct PfsMountTests {
    private static func error(of mount: PfsMount) throws -> SpileError {
        let spawner = ProcessSpawner(
            program: "/bin/true", arguments: ["true"], environment: [], folder: "/", inputPath: "/dev/null",
            outputFile: 1, errorFile: 2, pfs: mount)
        return try #require(throws: SpileError.self) { try spawner.spawn() }
    }

    @Test func aMountPointThatCannotBeMadeIsToldBeforeTheStartWithAWayOut() throws {
        let text = "\(try Self.error(of: PfsMount(folder: "/tmp", point: "/proc/pfs")))"
        #expect(text.contains("this machine has no folder /proc/pfs") && text.contains("mkdir /proc/pfs"), "\(text)")
        #expect(text.contains("--launcher container"), "\(text)")
    }

    @Test func aFileInPlaceOfTheMountPointIsToldToo() throws {
        let text = "\(try Self.error(of: PfsMount(folder: "/tmp", point: "/etc/hostname")))"
        #expect(text.contains("no folder /etc/hostname to mount inputs on"), "\(text)")
    }

    @Test(arguments: [
        (SPILE_STEP_NAMESPACE, EPERM, SpileError.Code.failedPrecondition, "Operation not permitted"),
        (SPILE_STEP_NAMESPACE, ENOSPC, .resourceExhausted, "user.max_user_namespaces"),
        (SPILE_STEP_IDENTITY_MAP, EACCES, .failedPrecondition, "kernel.apparmor_restrict_unprivileged_userns"),
        (SPILE_STEP_PROPAGATION, EINVAL, .failedPrecondition, "cannot mount /x at /pfs: Invalid argument"),
        (SPILE_STEP_MOUNT, EACCES, .failedPrecondition, "cannot mount /x at /pfs: Permission denied"),
    ])
    func whatTheMachineForbidsIsToldWithAWayOut(
        _ step: spile_step, _ code: Int32, _ kind: SpileError.Code, _ text: String
    ) throws {
        let fault = try #require(PfsMount(folder: "/x").fault(step, errno: code))
        #expect(fault.code == kind)
        #expect("\(fault)".contains(text), "\(fault)")
        #expect("\(fault)".contains("spile server --launcher container"), "\(fault)")
    }

    @Test func otherStepsOfAStartAreNotTheMounts() {
        for step in [SPILE_STEP_PROCESS, SPILE_STEP_USER, SPILE_STEP_FOLDER, SPILE_STEP_PROGRAM] {
            #expect(PfsMount(folder: "/x").fault(step, errno: EPERM) == nil)
            #expect(!PfsMount(folder: "/x").isWorthAnotherTry(step, errno: EPERM))
        }
    }

    @Test func onlyAMountThatIsNotPermittedIsTriedInAUserNamespaceAndOnce() {
        var mount = PfsMount(folder: "/x")
        #expect(mount.isWorthAnotherTry(SPILE_STEP_NAMESPACE, errno: EPERM))
        #expect(!mount.isWorthAnotherTry(SPILE_STEP_MOUNT, errno: ENOENT))
        mount.usesUserNamespace = true
        #expect(!mount.isWorthAnotherTry(SPILE_STEP_NAMESPACE, errno: EPERM))
    }

    /// The way of a server without privileges, whoever runs the tests; where the system forbids it, it says so.
    @Test func inAUserNamespaceTheUserStaysTheUserAndTheMountIsThere() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("spile-pfs-\(getpid())").path
        for name in ["point", "source"] {
            try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
        }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let mount = PfsMount(folder: folder + "/source", point: folder + "/point", usesUserNamespace: true)
        let spawner = ProcessSpawner(
            program: "/bin/sh", arguments: ["sh", "-c", "id -u > made; id -g >> made"],
            environment: ["PATH=/usr/bin:/bin"], folder: folder + "/point", inputPath: "/dev/null", outputFile: 1,
            errorFile: 2, pfs: mount)
        let number: pid_t
        do {
            number = try spawner.spawn()
        } catch let error as SpileError {
            #expect("\(error)".contains("--launcher container"))
            return
        }
        var status: Int32 = 0
        while waitpid(number, &status, 0) < 0, errno == EINTR {}
        #expect(status == 0)
        let made = try String(contentsOfFile: folder + "/source/made", encoding: .utf8)
        #expect(made == "\(geteuid())\n\(getegid())\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/point") == [])
    }
}
