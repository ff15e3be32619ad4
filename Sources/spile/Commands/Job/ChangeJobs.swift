import API
import ArgumentParser

struct StopJob: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "job", abstract: "Stop a job, or all jobs of an id.",
            discussion: "  \(Program.name) stop job means@<job id>")
    }

    @Argument(help: "<pipeline>@<job id>, or a job id for all jobs of that id.")
    var job: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        guard isCommitID(job) else {
            let name = try PpsV2_Job.named(job, project: project.name(session))
            _ = try await session.pps.stopJob(.with { $0.job = name })
            return
        }
        let jobs = try await session.pps.inspectJobSet(.with { $0.jobSet.id = job }) { response in
            var jobs: [PpsV2_Job] = []
            for try await info in response.messages { jobs.append(info.job) }
            return jobs
        }
        _ = try await session.transactions.batchTransaction(
            .with { $0.requests = jobs.map { job in .with { $0.stopJob.job = job } } })
    }
}

struct DeleteJob: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "job", abstract: "Forget a job.", discussion: "  \(Program.name) delete job means@<job id>")
    }

    @Argument(help: "<pipeline>@<job id>")
    var job: String
    @OptionGroup var project: ProjectOption
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let name = try PpsV2_Job.named(job, project: project.name(session))
        _ = try await session.pps.deleteJob(.with { $0.job = name })
    }
}
