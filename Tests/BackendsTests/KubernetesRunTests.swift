import Core
import Simulation
import Testing

@testable import Backends

/// A pod's log, cut into lines.
@Suite struct KubernetesLogLineTests {
    private func time(_ second: Int, _ nanos: Int = 0) -> String {
        SpecTimestamp.format(Instant(seconds: 1_800_000_000 + Int64(second), nanos: Int32(nanos)))
    }

    private func bytes(_ lines: [(String, String)]) -> [UInt8] { Array(lines.map { "\($0) \($1)\n" }.joined().utf8) }

    @Test func `lines lose their times, wherever the pieces are cut`() {
        let all = bytes([(time(1), "one"), (time(1, 5), ""), (time(2), "three  3\r")])
        for size in 1...all.count {
            var (lines, found, rest) = (KubernetesLogLines(), [String](), all[...])
            while !rest.isEmpty {
                found += lines.take(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(found == ["one", "", "three  3"])
            #expect(lines.since == SpecTimestamp.formatSeconds(Instant(seconds: 1_800_000_002)))
        }
    }

    @Test func `after a break nothing comes twice and nothing is lost`() throws {
        let all = [
            (time(1), "a"), (time(2, 1), "b"), (time(2, 1), "c"), (time(2, 1), "b"), (time(2, 2), "d"), (time(3), "e"),
        ]
        for cut in 0...all.count {
            var lines = KubernetesLogLines()
            var found = lines.take(bytes(Array(all[..<cut])))
            if cut < all.count { found += lines.take(bytes([all[cut]]).dropLast(2)) }
            lines.reopen()
            let since = lines.since.flatMap(SpecTimestamp.parse)
            let rest = try all.filter { line in
                let time = try #require(SpecTimestamp.parse(line.0))
                return since.map { time >= $0 } ?? true
            }
            found += lines.take(bytes(rest))
            #expect(found == ["a", "b", "c", "b", "d", "e"], "cut at \(cut)")
        }
    }

    @Test func `times of another zone are times`() {
        var lines = KubernetesLogLines()
        #expect(lines.take(Array("2027-01-15T10:00:01.5+02:00 x\n".utf8)) == ["x"])
        #expect(lines.since == "2027-01-15T08:00:01Z")
    }

    @Test func `long lines come in pieces, and a line without a time as it is`() {
        var lines = KubernetesLogLines(longest: 10)
        #expect(lines.take(bytes([(time(1), String(repeating: "x", count: 25))])).map(\.count) == [10, 10, 5])
        #expect(lines.take(Array("unable to retrieve\nnothing\n".utf8)) == ["unable to ", "retrieve", "nothing"])
        #expect(lines.take(Array("\(time(2)) half".utf8)).isEmpty)
        #expect(lines.finish() == ["half"])
    }
}

extension KubernetesRunPhase {
    /// Seen right at the beginning.
    fileprivate mutating func saw(_ pod: KubernetesPodState) -> [Action] { saw(pod, at: 0) }
}

/// What a pod's state means.
@Suite struct KubernetesPodStateTests {
    private func pod(_ container: JSONValue?, phase: String = "Pending", _ more: JSONValue = [:]) -> KubernetesPodState
    {
        let status: JSONValue = .present([
            "phase": .string(phase),
            "containerStatuses": container.map { [["name": "sidecar"], ["name": "user", "state": $0]] },
        ])
        return KubernetesPodState(
            ["metadata": ["name": "p", "uid": "u"], "status": status.merged(with: more)])
    }

    private func phase() -> KubernetesRunPhase {
        KubernetesRunPhase(at: 0, options: KubernetesOptions(owner: "o"))
    }

    @Test(arguments: [
        (0, LaunchExit.exited(code: 0)), (7, .exited(code: 7)), (137, .signalled(number: 9)), (255, .exited(code: 255)),
    ])
    func `exit codes and signals are told`(code: Int, exit: LaunchExit) {
        let state = pod(["terminated": ["exitCode": .number("\(code)"), "reason": "Error"]], phase: "Failed")
        var phase = phase()
        #expect(phase.saw(state) == [.begin, .conclude(exit, remark: nil)])
        #expect(phase.vanished() == [] && phase.isOver)
    }

    @Test func `an end for want of memory, and one of the pod's, are explained`() {
        var phase = phase()
        #expect(phase.saw(pod(["running": [:]], phase: "Running")) == [.begin])
        let state = pod(["terminated": ["exitCode": 137, "reason": "OOMKilled"]], phase: "Failed")
        let memory = "the container was ended because it used more than resource_limits.memory"
        #expect(phase.saw(state) == [.conclude(.signalled(number: 9), remark: memory)])
        var evicted = self.phase()
        _ = evicted.saw(pod(["running": [:]], phase: "Running"))
        let gone = pod(nil, phase: "Failed", ["reason": "Evicted", "message": "node was low on memory"])
        #expect(
            evicted.saw(gone) == [.conclude(.unknown, remark: "the pod was ended: Evicted: node was low on memory")])
    }

    @Test(arguments: [
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError",
    ])
    func `what would be tried for ever is refused at once`(reason: String) {
        var phase = phase()
        #expect(phase.saw(pod(["waiting": ["reason": "ContainerCreating"]])) == [])
        let state = pod(["waiting": ["reason": .string(reason), "message": "m"]])
        #expect(phase.saw(state) == [.refuse(.init(reason: reason, message: "m"))])
        #expect(phase.isOver && phase.saw(state) == [])
    }

    @Test func `a program that the image does not have has not run`() {
        var phase = phase()
        let state = pod(
            ["terminated": ["exitCode": 128, "reason": "StartError", "message": "exec: not found"]], phase: "Failed")
        #expect(phase.saw(state) == [.refuse(.init(reason: "StartError", message: "exec: not found"))])
        #expect(KubernetesPodState.remedy("StartError").contains("transform.cmd[0]"))
    }

    @Test func `a pod that fits no node may wait for one, but not for ever`() {
        var phase = phase()
        let state = pod(
            nil, phase: "Pending",
            [
                "conditions": [
                    [
                        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                        "message": "0/3 nodes are available",
                    ]
                ]
            ])
        #expect(phase.saw(state) == [] && phase.deadline(after: 0) == 120)
        #expect(phase.timePassed(to: 119) == [])
        #expect(
            phase.timePassed(to: 120) == [.refuse(.init(reason: "Unschedulable", message: "0/3 nodes are available"))])
        // It may have fitted one before, or not have been heard of.
        var late = self.phase()
        _ = late.saw(pod(["waiting": ["reason": "ContainerCreating"]]), at: 1)
        #expect(late.timePassed(to: 120) == [] && late.saw(pod(nil), at: 121) == [])
        #expect(
            late.saw(state, at: 121) == [.refuse(.init(reason: "Unschedulable", message: "0/3 nodes are available"))])
        #expect(late.isOver)
    }

    @Test func `a start takes its time and not more`() {
        var phase = phase()
        _ = phase.saw(pod(["waiting": ["reason": "ContainerCreating"]]))
        #expect(phase.timePassed(to: 120) == [] && phase.deadline(after: 120) == 900)
        #expect(phase.timePassed(to: 900) == [.refuse(.init(reason: "ContainerCreating", message: ""))])
        var running = self.phase()
        _ = running.saw(pod(["running": [:]], phase: "Running"))
        #expect(running.deadline(after: 0) == nil && running.timePassed(to: 1000) == [])
    }

    @Test func `a failed init container is told with its words`() {
        var phase = phase()
        let state = pod(
            ["waiting": ["reason": "PodInitializing"]], phase: "Failed",
            [
                "initContainerStatuses": [
                    ["name": "init", "state": ["terminated": ["exitCode": 1, "message": "cp: no"]]]
                ]
            ])
        #expect(phase.saw(state) == [.refuse(.init(reason: "the init container ended with code 1", message: "cp: no"))])
    }

    @Test func `a pod that somebody deletes has ended unseen, or as it was last seen`() {
        var running = phase()
        _ = running.saw(pod(["running": [:]], phase: "Running"))
        #expect(running.vanished() == [.conclude(.unknown, remark: nil)])
        var starting = phase()
        #expect(starting.vanished().first != nil && starting.isOver)
    }

    @Test func `in a pod that restarts its program the first end counts`() {
        let status: JSONValue = [
            "phase": "Running",
            "containerStatuses": [
                [
                    "name": "user", "restartCount": 1,
                    "state": ["waiting": ["reason": "CrashLoopBackOff", "message": "back-off 10s"]],
                    "lastState": ["terminated": ["exitCode": 3, "reason": "Error"]],
                ]
            ],
        ]
        let state = KubernetesPodState(["metadata": ["name": "p", "uid": "u"], "status": status])
        var phase = phase()
        _ = phase.saw(pod(["running": [:]], phase: "Running"))
        #expect(phase.saw(state) == [.conclude(.exited(code: 3), remark: nil)])
    }
}
