import API
import SwiftProtobuf

/// Words and rows for jobs and datums.
enum JobText {
    static let header = "PROJECT|PIPELINE|ID|STARTED|DURATION|RESTART|PROGRESS|DL|UL|STATE"

    static func row(_ info: PpsV2_JobInfo, _ style: TimeStyle, _ palette: Palette) -> [String] {
        [
            info.job.pipeline.project.name, info.job.pipeline.name, info.job.id,
            style.text(info.started, if: info.hasStarted), duration(info, now: style.now), String(info.restart),
            progress(info), formatSize(info.stats.downloadBytes), formatSize(info.stats.uploadBytes),
            state(info, palette),
        ]
    }

    /// How long it took, or has taken so far; `-` before it has started.
    static func duration(_ info: PpsV2_JobInfo, now: Instant) -> String {
        guard info.hasStarted else { return "-" }
        let end = info.hasFinished ? info.finished.seconds : now.seconds
        return formatSpan(seconds: end - info.started.seconds)
    }

    /// `processed + skipped / total`, with the recovered ones between where there are any.
    static func progress(_ info: PpsV2_JobInfo) -> String {
        let recovered = info.dataRecovered > 0 ? " + \(info.dataRecovered)" : ""
        return "\(info.dataProcessed) + \(info.dataSkipped)\(recovered) / \(info.dataTotal)"
    }

    /// The state, and what is behind it in at most 25 characters.
    static func state(_ info: PpsV2_JobInfo, _ palette: Palette) -> String {
        let word = PpsText.coloured(info.state, palette)
        if info.state == .jobSuccess && info.dataTotal == 0 { return "\(word): there were no datums to process" }
        if info.reason.isEmpty { return word }
        return "\(word): " + (info.reason.count > 25 ? info.reason.prefix(22) + "..." : info.reason)
    }

    static let setHeader = "ID|SUBJOBS|PROGRESS|CREATED|MODIFIED"

    static func setRow(_ set: PpsV2_JobSetInfo, _ style: TimeStyle, _ palette: Palette) -> [String] {
        let done = set.jobs.count { $0.state == .jobSuccess }
        let failed = set.jobs.count { isFailure($0.state) }
        let created = set.jobs.filter(\.hasCreated).map {
            Instant(seconds: $0.created.seconds, nanos: $0.created.nanos)
        }
        return [
            set.jobSet.id, String(set.jobs.count),
            palette.bar(done: done, waiting: set.jobs.count - done - failed, failed: failed),
            created.min().map(style.text) ?? "-", created.max().map(style.text) ?? "-",
        ]
    }

    static func isFailure(_ state: PpsV2_JobState) -> Bool {
        state == .jobFailure || state == .jobKilled || state == .jobUnrunnable
    }

    /// The labelled lines of one job.
    static func inspect(_ info: PpsV2_JobInfo, _ style: TimeStyle, _ palette: Palette) throws -> String {
        let details = info.details
        var text =
            "ID: \(info.job.id)\nPipeline: \(info.job.pipeline.name)\nProject: \(info.job.pipeline.project.name)\n"
        text += "Started: \(style.text(info.started, if: info.hasStarted))\n"
        if info.hasFinished { text += "Duration: \(duration(info, now: style.now))\n" }
        text += "State: \(PpsText.coloured(info.state, palette))\nReason: \(info.reason)\n"
        text += "Processed: \(info.dataProcessed)\nFailed: \(info.dataFailed)\nSkipped: \(info.dataSkipped)\n"
        text += "Recovered: \(info.dataRecovered)\nTotal: \(info.dataTotal)\n"
        text += "Data Downloaded: \(formatSize(info.stats.downloadBytes))\n"
        text += "Data Uploaded: \(formatSize(info.stats.uploadBytes))\n"
        text += "Download Time: \(PpsText.span(info.stats.downloadTime))\n"
        text += "Process Time: \(PpsText.span(info.stats.processTime))\n"
        text += "Upload Time: \(PpsText.span(info.stats.uploadTime))\n"
        text += "Datum Timeout: \(PpsText.span(details.datumTimeout, if: details.hasDatumTimeout))\n"
        text += "Job Timeout: \(PpsText.span(details.jobTimeout, if: details.hasJobTimeout))\n"
        text += try workers(details.workerStatus, style)
        text += "Restarts: \(info.restart)\n"
        text += "ParallelismSpec: \(PpsText.parallelism(details.parallelismSpec, if: details.hasParallelismSpec))\n"
        text += resources(details)
        if details.hasService {
            text += "Service:\n  InternalPort: \(details.service.internalPort)\n"
            text += "  ExternalPort: \(details.service.externalPort)\n"
        }
        text += "Input:\n\(details.hasInput ? try RawOutput.json(details.input).pretty : "<nil>")\n"
        text += "Transform:\n\(details.hasTransform ? try RawOutput.json(details.transform).pretty : "<nil>")\n"
        if info.hasOutputCommit { text += "Output Commit: \(info.outputCommit.id)\n" }
        if details.hasEgress { text += "Egress: \(PpsText.target(details.egress))\n" }
        return text
    }

    private static func resources(_ details: PpsV2_JobInfo.Details) -> String {
        var text = ""
        if details.hasResourceRequests { text += PpsText.resources("ResourceRequests", details.resourceRequests) }
        if details.hasResourceLimits { text += PpsText.resources("ResourceLimits", details.resourceLimits) }
        if details.hasSidecarResourceRequests {
            text += PpsText.resources("SidecarResourceRequests", details.sidecarResourceRequests)
        }
        if details.hasSidecarResourceLimits {
            text += PpsText.resources("SidecarResourceLimits", details.sidecarResourceLimits)
        }
        return text
    }

    private static func workers(_ status: [PpsV2_WorkerStatus], _ style: TimeStyle) throws -> String {
        var text = "Worker Status:\n"
        var table = Table("WORKER|JOB|DATUM|STARTED") { text += $0 }
        for worker in status {
            let datum = worker.datumStatus
            let paths = datum.data.map(\.path).joined(separator: ", ")
            try table.add([worker.workerID, worker.jobID, paths, style.text(datum.started, if: datum.hasStarted)])
        }
        try table.flush()
        return text
    }

    static func state(_ state: PpsV2_DatumState) -> String {
        switch state {
        case .skipped: "skipped"
        case .failed: "failed"
        case .recovered: "recovered"
        case .success: "success"
        case .starting: "starting"
        default: "-"
        }
    }

    static func file(_ info: PfsV2_FileInfo) -> String {
        let repo = PfsText.repo(of: info.file.commit)
        return "\(repo.project.name)/\(PfsText.repo(repo))@\(info.file.commit.id):\(info.file.path)"
    }

    /// All the time one datum took.
    static func total(_ stats: PpsV2_ProcessStats) -> Google_Protobuf_Duration {
        let parts = [stats.downloadTime, stats.processTime, stats.uploadTime]
        let nanos = parts.reduce(Int64(0)) { $0 + Int64($1.nanos) }
        return .with {
            $0.seconds = parts.reduce(0) { $0 + $1.seconds } + nanos / 1_000_000_000
            $0.nanos = Int32(nanos % 1_000_000_000)
        }
    }
}
