import Core
import Foundation
import Testing

@testable import Backends

/// What the container tools are told. What they do with it, `LauncherSuite` shows.
@Suite struct ContainerPlanTests {
    private static func plan(
        _ flavour: ContainerTool.Flavour = .podman, image: (inout LaunchImage) -> Void = { _ in },
        order: (inout LaunchOrder) -> Void = { _ in }
    ) -> ContainerPlan {
        var launchImage = LaunchImage(name: "i:1", environment: [("A", "1")])
        image(&launchImage)
        var launchOrder = LaunchOrder(
            pipeline: PipelineKey(name: "p"), epoch: 3, command: ["run", "--it"], environment: [], output: { _ in })
        order(&launchOrder)
        return ContainerPlan(
            order: launchOrder, image: launchImage, options: ContainerOptions(owner: "0123456789abcdef"),
            flavour: flavour, folder: "/data, \"mine\"", tool: "/bin/spile",
            imageEnvironment: ["PATH=/image/bin", "B=2"])
    }

    private static func follows(_ words: String..., in arguments: [String]) -> Bool {
        arguments.indices.contains { arguments[$0...].starts(with: words) }
    }

    @Test func theCommandStandsBehindTheImageAndNothingElseIsTakenForIt() {
        #expect(Self.plan().arguments.suffix(3) == ["i:1", "run", "--it"])
    }

    @Test func limitsUserAndFolderAreToldOnlyWhereTheSpecHasThem() {
        let plain = Self.plan().arguments
        for flag in ["--memory", "--cpus", "--user", "--workdir", "--interactive"] { #expect(!plain.contains(flag)) }
        let full = Self.plan {
            $0.memoryLimit = 1 << 20
            $0.processorLimit = 1.5
        } order: {
            $0.user = "u:g"
            $0.workingDirectory = "/w"
            $0.standardInput = [1]
        }.arguments
        #expect(Self.follows("--memory", "1048576b", in: full) && Self.follows("--cpus", "1.5", in: full))
        #expect(Self.follows("--user", "u:g", in: full) && Self.follows("--workdir", "/w", in: full))
        #expect(full.contains("--interactive"))
    }

    @Test func whatOnlyPodmanKnowsIsToldToPodmanAlone() {
        #expect(Self.plan(.podman).arguments.contains("--http-proxy=false"))
        #expect(!Self.plan(.docker).arguments.contains("--http-proxy=false"))
    }

    @Test func aPfsFolderTakesThePlaceOfTheScratchFolderAndIsWritable() {
        #expect(Self.follows("--tmpfs", "/pfs:rw,exec,mode=1777", in: Self.plan().arguments))
        let arguments = Self.plan(order: { $0.pfsFolder = "/d,a/pfs" }).arguments
        #expect(!arguments.contains("--tmpfs"))
        #expect(Self.follows("--mount", "type=bind,\"source=/d,a/pfs\",target=/pfs", in: arguments))
    }

    @Test func portsArePublishedWhereTheNetworkIsNotTheHosts() {
        var plan = Self.plan(image: { $0.port = Exposure(
            pipeline: PipelineKey(name: "p"), internalPort: 8000, externalPort: 31803, isLocal: false) })
        #expect(!plan.arguments.contains("--publish"))
        plan.options.network = "bridge"
        #expect(Self.follows("--publish", "0.0.0.0:31803:8000", in: plan.arguments))
        plan.image.port = nil
        #expect(!plan.arguments.contains("--publish"))
    }

    @Test func theFoldersOfTheImagesPathComeFirst() {
        #expect(Self.plan().lines == ["A=1", "PATH=/image/bin:/pach-bin"])
        let own = Self.plan(image: { $0.environment = [("PATH", "/mine")] })
        #expect(own.lines == ["PATH=/mine:/pach-bin"])
    }

    @Test func valuesThatAFileCannotHoldStandInNoArgument() {
        let plan = Self.plan(image: { $0.environment = [("X", "a\nb"), ("Y", "\"q\""), ("Z", " z"), ("OK", "a b=c")] })
        #expect(plan.others.map(\.text) == ["X=a\nb", "Y=\"q\"", "Z= z"])
        #expect(plan.lines.contains("OK=a b=c"))
        #expect(Self.follows("--env", "X", in: plan.arguments))
        #expect(plan.others.map(\.isPassed) == [true, true, true])
        #expect(!plan.arguments.contains { $0.contains("a\nb") })
        // What the command itself would read is not passed through it.
        let own = Self.plan(image: { $0.environment = [("DOCKER_HOST", "a\nb")] })
        #expect(Self.follows("--env", "DOCKER_HOST=a\nb", in: own.arguments))
    }

    @Test func variablesHoldThePlaceOfTheFilesInTheContainer() {
        let plan = Self.plan(order: {
            $0.files = [(path: "config.json", bytes: [], mode: 0o600)]
            $0.fileVariables = [(name: "PACH_CONFIG", path: "config.json")]
        })
        #expect(plan.lines.contains("PACH_CONFIG=/pachctl/config.json"))
    }

    @Test func aPathWithMarksOfTheMountsSyntaxIsQuoted() {
        let plan = Self.plan(order: { $0.files = [(path: "f", bytes: [], mode: 0o600)] })
        let mount = "type=bind,\"source=/data, \"\"mine\"\"/files\",target=/pachctl,readonly"
        #expect(Self.follows("--mount", mount, in: plan.arguments))
        let tool = "type=bind,source=/bin/spile,target=/pach-bin/spile,readonly"
        #expect(Self.follows("--mount", tool, in: plan.arguments))
    }

    @Test func theSpecsLabelsDoNotReplaceOurs() {
        let arguments = Self.plan(image: { $0.labels = [("team", "b"), ("io.spile.data", "x")] }).arguments
        #expect(Self.follows("--label", "team=b", in: arguments))
        #expect(Self.follows("--label", "io.spile.data=0123456789abcdef", in: arguments))
        #expect(!arguments.contains("io.spile.data=x"))
    }

    @Test(arguments: [
        ("ubuntu:20.04", "docker.io/library/ubuntu:20.04"), ("me/app", "docker.io/me/app"),
        ("localhost/app:1", "localhost/app:1"), ("quay.io/a/b", "quay.io/a/b"), ("host:5000/a", "host:5000/a"),
    ])
    func namesWithoutARegistryAreOfDockerHub(_ name: String, _ full: String) {
        #expect(ContainerImages.fullName(name) == full)
    }

    @Test func faultsNameTheirRemedy() {
        let error = ContainerFault.error(
            of: "create", ["Error: container-init binary not found on the host"], program: "/usr/bin/podman")
        #expect(error.message == "podman create: container-init binary not found on the host")
        #expect(error.remedy.contains("catatonit"))
        let limits = ContainerFault.error(of: "start", ["cannot set memory limit: no cgroup mount"], program: "x")
        #expect(limits.remedy.contains("control groups"))
        let down = ContainerFault.error(of: "ps", ["Cannot connect to the Docker daemon at x"], program: "docker")
        #expect(down.isTransient)
    }

    @Test func withoutAToolTheErrorSaysWhatToDo() throws {
        let error = try #require(throws: SpileError.self) {
            try ContainerTool.find(nil, environment: ["PATH": "/nowhere"])
        }
        #expect("\(error)".contains("neither podman nor docker"))
    }

    @Test func aProgramIsStaticIfItNamesNoInterpreter() throws {
        func program(segments: [UInt8]) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 64)
            bytes.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1])
            (bytes[0x20], bytes[0x36], bytes[0x38]) = (64, 56, UInt8(segments.count))
            return bytes + segments.flatMap { [$0] + [UInt8](repeating: 0, count: 55) }
        }
        let path = "/tmp/spile-elf-\(getpid())"
        defer { unlink(path) }
        for (bytes, isStatic) in [
            (program(segments: [1, 2]), true), (program(segments: [1, 3, 2]), false), (Array("#!/bin/sh".utf8), nil),
            ([UInt8](program(segments: []).prefix(20)), nil),
        ] {
            try PosixFiles.write(bytes, to: path, mode: 0o600)
            #expect(ExecutableFile.isStatic(path) == isStatic)
        }
    }
}
