import API
import ArgumentParser

extension PpsV2_Job {
    /// `<pipeline>@<id>`.
    static func named(_ text: String, project: String) throws -> PpsV2_Job {
        guard let at = text.firstIndex(of: "@"), text.index(after: at) != text.endIndex else {
            throw Failure("\"\(text)\" does not name a job: write <pipeline>@<job id>")
        }
        let pipeline = try PpsV2_Pipeline.named(String(text[..<at]), project: project)
        return .with {
            $0.pipeline = pipeline
            $0.id = String(text[text.index(after: at)...])
        }
    }
}

struct ListJob: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "job", abstract: "List jobs: of a project, of a pipeline, or those of one id.",
            discussion: """
                  \(Program.name) list job
                  \(Program.name) list job -p means --state failure

                A spout has no jobs: of one, the commits that its code has made are shown, those close in time in one \
                row, with how many they are, by how many bytes they have made the branch larger, and when they came.
                """)
    }

    static let states: Set<String> = [
        "JOB_CREATED", "JOB_STARTING", "JOB_RUNNING", "JOB_FAILURE", "JOB_SUCCESS", "JOB_KILLED", "JOB_EGRESSING",
        "JOB_FINISHING", "JOB_UNRUNNABLE",
    ]

    @Argument(help: "Only the jobs of this id.")
    var id: String?
    @Option(
        name: [.customLong("pipeline"), .customShort("p")], parsing: .unconditional, help: "Only of this pipeline.")
    var pipeline = ""
    @Option(
        name: [.customLong("input"), .customShort("i")], parsing: .unconditionalSingleValue,
        help: "Only with this input, <repo>@<branch-or-commit>; repeat it, or separate with commas.")
    var input: [String] = []
    @Flag(name: [.customLong("expand"), .customShort("x")], help: "One row per job instead of one per change.")
    var expand = false
    @Option(parsing: .unconditional, help: "Of older versions of the pipeline too: none, all, or how many.")
    var history = "none"
    @Option(parsing: .unconditionalSingleValue, help: "Only jobs in this state; repeat it for several.")
    var state: [String] = []
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var everywhere: AllProjectsOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let filter = try PpsText.stateFilter(state, prefix: "JOB_", known: Self.states)
        let versions = try PpsText.history(history)
        let session = try await Session.open(global)
        let name = project.name(session)
        let scope = everywhere.all ? [] : [PfsV2_Project.with { $0.name = name }]
        let (style, palette) = (times.style, Palette(global))
        if let id {
            let request = PpsV2_InspectJobSetRequest.with {
                $0.jobSet.id = id
                $0.details = true
            }
            return try await session.pps.inspectJobSet(request) { response in
                try await Listing.show(response, JobText.header, raw: raw) { JobText.row($0, style, palette) }
            }
        }
        if pipeline.isEmpty && !expand && input.isEmpty {
            let request = PpsV2_ListJobSetRequest.with {
                $0.projects = scope
                $0.details = true
                $0.jqFilter = filter
            }
            return try await session.pps.listJobSet(request) { response in
                try await Listing.show(response, JobText.setHeader, raw: raw) { JobText.setRow($0, style, palette) }
            }
        }
        if !pipeline.isEmpty, input.isEmpty, state.isEmpty {
            let named = try PpsV2_Pipeline.named(pipeline, project: name)
            let info = try await session.pps.inspectPipeline(
                .with {
                    $0.pipeline = named
                    $0.details = true
                })
            if info.type == .spout { return try await SpoutBatch.show(info, session, raw: raw, style) }
        }
        var request = PpsV2_ListJobRequest.with {
            $0.projects = scope
            $0.history = versions
            $0.details = true
            $0.jqFilter = filter
        }
        if !pipeline.isEmpty { request.pipeline = try .named(pipeline, project: name) }
        request.inputCommit = try input.flatMap(splitCommas).map { try Reference.commit($0, project: name).wireCommit }
        try await session.pps.listJob(request) { response in
            try await Listing.show(response, JobText.header, raw: raw) { JobText.row($0, style, palette) }
        }
    }
}

struct InspectJob: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "job", abstract: "Show a job: its state and why, its datums, its workers.",
            discussion: "  \(Program.name) inspect job means@<job id>")
    }

    @Argument(help: "<pipeline>@<job id>")
    var job: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let job = try PpsV2_Job.named(job, project: project.name(session))
        let info = try await session.pps.inspectJob(
            .with {
                $0.job = job
                $0.details = true
            })
        if let raw { return try raw.show(info) }
        try Console.write(JobText.inspect(info, times.style, Palette(global)))
    }
}

struct WaitJob: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "job",
            abstract: "Wait until a job, or all jobs of an id, are done; exit code 1 if one failed.",
            discussion: "  \(Program.name) wait job means@<job id>")
    }

    @Argument(help: "<pipeline>@<job id>, or a job id for all jobs of that id.")
    var job: String
    @OptionGroup var raw: RawOptions
    @OptionGroup var times: TimeOptions
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let raw = try raw.format
        let session = try await Session.open(global)
        let (style, palette) = (times.style, Palette(global))
        if isCommitID(job) {
            let request = PpsV2_InspectJobSetRequest.with {
                $0.jobSet.id = job
                $0.wait = true
                $0.details = true
            }
            let failed = try await session.pps.inspectJobSet(request) { response in
                var listing = Listing<PpsV2_JobInfo>(JobText.header, raw: raw, flushesEachRow: true) {
                    JobText.row($0, style, palette)
                }
                var failed: [PpsV2_JobInfo] = []
                for try await info in response.messages {
                    try listing.add(info)
                    if JobText.isFailure(info.state) { failed.append(info) }
                }
                try listing.finish()
                return failed
            }
            if let first = failed.first { throw Self.failure(first, more: failed.count - 1) }
            return
        }
        let name = try PpsV2_Job.named(job, project: project.name(session))
        let info = try await session.pps.inspectJob(
            .with {
                $0.job = name
                $0.wait = true
                $0.details = true
            })
        if let raw {
            try raw.show(info)
        } else {
            var listing = Listing<PpsV2_JobInfo>(JobText.header, raw: nil) { JobText.row($0, style, palette) }
            try listing.add(info)
            try listing.finish()
        }
        if JobText.isFailure(info.state) { throw Self.failure(info, more: 0) }
    }

    private static func failure(_ info: PpsV2_JobInfo, more: Int) -> Failure {
        let others = more > 0 ? ", and \(more) more" : ""
        let job = "\(info.job.pipeline.name)@\(info.job.id)"
        return Failure("job \(job) ended as \(PpsText.state(info.state))\(others): \(info.reason)")
    }
}
