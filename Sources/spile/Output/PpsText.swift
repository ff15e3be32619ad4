import API
import SwiftProtobuf

/// Words for pipelines and jobs.
enum PpsText {
    static func state(_ state: PpsV2_PipelineState) -> String {
        switch state {
        case .pipelineStarting: "starting"
        case .pipelineRunning: "running"
        case .pipelineRestarting: "restarting"
        case .pipelineFailure: "failure"
        case .pipelinePaused: "paused"
        case .pipelineStandby: "standby"
        case .pipelineCrashing: "crashing"
        default: "-"
        }
    }

    static func state(_ state: PpsV2_JobState) -> String {
        switch state {
        case .jobStarting: "starting"
        case .jobRunning: "running"
        case .jobFailure: "failure"
        case .jobSuccess: "success"
        case .jobKilled: "killed"
        case .jobEgressing: "egressing"
        case .jobFinishing: "finishing"
        case .jobUnrunnable: "unrunnable"
        default: "-"
        }
    }

    static func coloured(_ state: PpsV2_PipelineState, _ palette: Palette) -> String {
        let word = self.state(state)
        return switch state {
        case .pipelineRunning, .pipelineStandby: palette.green(word)
        case .pipelineFailure, .pipelineCrashing: palette.red(word)
        default: palette.yellow(word)
        }
    }

    static func coloured(_ state: PpsV2_JobState, _ palette: Palette) -> String {
        let word = self.state(state)
        return switch state {
        case .jobSuccess: palette.green(word)
        case .jobFailure, .jobKilled, .jobUnrunnable: palette.red(word)
        default: palette.yellow(word)
        }
    }

    /// What a pipeline reads, in a few characters: `proj/repo:glob`, `(a ⨯ b)`, `tick:@daily`.
    static func shorthand(_ input: PpsV2_Input) -> String {
        func joined(_ inputs: [PpsV2_Input], _ mark: String) -> String {
            "(" + inputs.map(shorthand).joined(separator: mark) + ")"
        }
        if input.hasPfs { return "\(input.pfs.project)/\(input.pfs.repo):\(input.pfs.glob)" }
        if !input.cross.isEmpty { return joined(input.cross, " ⨯ ") }
        if !input.join.isEmpty { return joined(input.join, " ⋈ ") }
        if !input.union.isEmpty { return joined(input.union, " ∪ ") }
        if !input.group.isEmpty { return "(Group: " + input.group.map(shorthand).joined(separator: ", ") + ")" }
        if input.hasCron { return "\(input.cron.name):\(input.cron.spec)" }
        return "none"
    }

    static let pipelineHeader = "PROJECT|NAME|VERSION|INPUT|CREATED|STATE / LAST JOB|ALERTS|DESCRIPTION"

    static func pipelineRow(_ info: PpsV2_PipelineInfo, _ style: TimeStyle, _ palette: Palette) -> [String] {
        [
            info.pipeline.project.name, info.pipeline.name, String(info.version), shorthand(info.details.input),
            style.text(info.details.createdAt, if: info.details.hasCreatedAt),
            "\(coloured(info.state, palette)) / \(coloured(info.lastJobState, palette))",
            needsAttention(info.state) ? "*" : "", info.details.description_p,
        ]
    }

    /// Where output goes besides.
    static func target(_ egress: PpsV2_Egress) -> String {
        if !egress.url.isEmpty { return egress.url }
        switch egress.target {
        case .objectStorage(let store): return store.url
        case .sqlDatabase(let database): return database.url
        case nil: return ""
        }
    }

    static func needsAttention(_ state: PpsV2_PipelineState) -> Bool {
        state == .pipelineFailure || state == .pipelineCrashing || state == .pipelineRestarting
    }

    /// The labelled lines of one pipeline.
    static func inspect(_ info: PpsV2_PipelineInfo, _ style: TimeStyle, _ palette: Palette) throws -> String {
        let details = info.details
        var text = "Name: \(info.pipeline.name)\n"
        text += PfsText.line("Description", details.description_p)
        text += "Created: \(style.text(details.createdAt, if: details.hasCreatedAt))\n"
        text += "State: \(coloured(info.state, palette))\n"
        text += "Reason: \(info.reason)\n"
        text += "Workers Available: \(details.workersAvailable)/\(details.workersRequested)\n"
        text += "Stopped: \(info.stopped)\n"
        text += "Parallelism Spec: \(parallelism(details.parallelismSpec, if: details.hasParallelismSpec))\n"
        if details.hasResourceRequests { text += resources("ResourceRequests", details.resourceRequests) }
        if details.hasResourceLimits { text += resources("ResourceLimits", details.resourceLimits) }
        text += "Datum Timeout: \(span(details.datumTimeout, if: details.hasDatumTimeout))\n"
        text += "Job Timeout: \(span(details.jobTimeout, if: details.hasJobTimeout))\n"
        text += "Input:\n\(details.hasInput ? try RawOutput.json(details.input).pretty : "<nil>")\n"
        text += "Output Branch: \(details.outputBranch)\n"
        text += "Transform:\n\(details.hasTransform ? try RawOutput.json(details.transform).pretty : "<nil>")\n"
        if details.hasSpout { text += "Spout:\n\(try RawOutput.json(details.spout).pretty)\n" }
        if details.hasService { text += "Service:\n\(try RawOutput.json(details.service).pretty)\n" }
        if details.hasEgress { text += "Egress: \(target(details.egress))\n" }
        text += PfsText.line("Recent Error", details.recentError)
        text += PfsText.line("User Spec", pretty(info.userSpecJson))
        text += PfsText.line("Effective Spec", pretty(info.effectiveSpecJson))
        return text
    }

    private static func pretty(_ text: String) -> String {
        text.isEmpty ? "" : "\n" + ((try? JSON(parsing: text).pretty) ?? text)
    }

    static func resources(_ label: String, _ spec: PpsV2_ResourceSpec) -> String {
        var text = "\(label):\n  CPU: \(spec.cpu)\n  Memory: \(spec.memory)\n"
        if spec.hasGpu { text += "  GPU:\n    Type: \(spec.gpu.type)\n    Number: \(spec.gpu.number)\n" }
        return text
    }

    /// A length of time in words.
    static func span(_ duration: Google_Protobuf_Duration) -> String { formatSpan(seconds: duration.seconds) }

    static func parallelism(_ spec: PpsV2_ParallelismSpec, if present: Bool) -> String {
        present ? "constant:\(spec.constant)" : "<nil>"
    }

    /// A duration in the text form of messages; `<nil>` for none.
    static func span(_ duration: Google_Protobuf_Duration, if present: Bool) -> String {
        guard present else { return "<nil>" }
        return duration.nanos == 0
            ? "seconds:\(duration.seconds)" : "seconds:\(duration.seconds) nanos:\(duration.nanos)"
    }

    /// The program a server filters by: `.state == "A" or .state == "B"`; empty for no states.
    static func stateFilter(_ states: [String], prefix: String, known: Set<String>) throws -> String {
        try states.map { word in
            let upper = word.uppercased()
            let name = upper.hasPrefix(prefix) ? upper : prefix + upper
            guard known.contains(name) else {
                let words = known.map { $0.dropFirst(prefix.count).lowercased() }.sorted().joined(separator: ", ")
                throw Failure("unknown state \"\(word)\": use \(words)")
            }
            return ".state == \"\(name)\""
        }.joined(separator: " or ")
    }

    /// Reads `--history`: none, all, or a number of versions.
    static func history(_ text: String) throws -> Int64 {
        switch text {
        case "none": return 0
        case "all": return -1
        default:
            guard let number = Int64(text) else {
                throw Failure("--history \(text) is neither none, all nor a number of versions")
            }
            return number
        }
    }
}
