import ArgumentParser

/// The whole command tree. Every command is `verb noun`; a few stand alone.
struct RootCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Program.name,
            abstract: "Version data that streams in, and run code on each version.",
            discussion: """
                Data lives in repos, on branches, as commits; pipelines make new commits from them. A command is a \
                verb and a noun. Start a server, make a repo, put a file, read it back:

                  \(Program.name) server
                  \(Program.name) create repo readings
                  echo 21.5 | \(Program.name) put file readings@master:/room/1
                  \(Program.name) get file readings@master:/room/1
                """,
            subcommands: [
                ServerCommand.self, VersionCommand.self, ConnectCommand.self, ConfigCommand.self, CreateVerb.self,
                UpdateVerb.self, DeleteVerb.self, InspectVerb.self, ListVerb.self, PutVerb.self, GetVerb.self,
                CopyVerb.self, DiffVerb.self, GlobVerb.self, FindVerb.self, StartVerb.self, FinishVerb.self,
                StopVerb.self, WaitVerb.self, SubscribeVerb.self, SquashVerb.self, RerunVerb.self, RunVerb.self,
                ValidateVerb.self, EditVerb.self, CheckVerb.self, NextVerb.self, RestartVerb.self, ResumeVerb.self,
                AuthCommand.self, LogsCommand.self, PositionCommand.self, DrawVerb.self, LineageCommand.self,
                FsckCommand.self, GarbageCommand.self, SnapshotCommand.self, RestoreCommand.self,
                MigrateCommand.self,
            ])
    }
}

struct CreateVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a repo, branch, project, pipeline or secret.",
        subcommands: [
            CreateRepo.self, CreateBranch.self, CreateProject.self, CreatePipeline.self, CreateSecret.self,
            CreateDefaults.self,
        ])
}

struct UpdateVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Change a repo, project or pipeline.",
        subcommands: [UpdateRepo.self, UpdateProject.self, UpdatePipeline.self, UpdateDefaults.self])
}

struct DeleteVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a file, commit, branch, repo, project or pipeline and more.",
        subcommands: [
            DeleteFile.self, DeleteCommit.self, DropCommit.self, DeleteBranch.self, DeleteRepo.self,
            DeleteProject.self, DeletePipeline.self, DeleteAll.self, DeleteJob.self, DeleteSecret.self,
            DeleteTransaction.self, DeleteDefaults.self,
        ])
}

struct InspectVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show one thing in full.",
        subcommands: [
            InspectFile.self, InspectCommit.self, InspectBranch.self, InspectRepo.self, InspectProject.self,
            InspectPipeline.self, InspectCluster.self, InspectJob.self, InspectDatum.self, InspectSecret.self,
            InspectTransaction.self, InspectDefaults.self,
        ])
}

struct ListVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List files, commits, branches, repos, projects, pipelines, jobs and more.",
        subcommands: [
            ListFile.self, ListCommit.self, ListBranch.self, ListRepo.self, ListProject.self, ListPipeline.self,
            ListJob.self, ListDatum.self, ListSecret.self, ListTransaction.self, ListTask.self,
        ])
}

struct PutVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Put files into a repo.", subcommands: [PutFile.self])
}

struct GetVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Get files out of a repo.", subcommands: [GetFile.self])
}

struct CopyVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy files between commits.", subcommands: [CopyFile.self])
}

struct DiffVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what changed between commits.", subcommands: [DiffFile.self])
}

struct GlobVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "glob", abstract: "List the files that match a pattern.", subcommands: [GlobFile.self])
}

struct FindVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "find", abstract: "Find the commits that changed a file.", subcommands: [FindCommit.self])
}

struct StartVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a commit, a pipeline or a transaction.",
        subcommands: [
            StartCommit.self, StartPipeline.self, StartTransaction.self,
        ])
}

struct FinishVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "finish", abstract: "Finish a commit or a transaction.",
        subcommands: [
            FinishCommit.self, FinishTransaction.self,
        ])
}

struct StopVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop a pipeline or a job, or leave a transaction.",
        subcommands: [
            StopPipeline.self, StopJob.self, StopTransaction.self,
        ])
}

struct WaitVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait for a commit or a job to finish.",
        subcommands: [
            WaitCommit.self, WaitJob.self,
        ])
}

struct SubscribeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscribe", abstract: "Show commits as they arrive.", subcommands: [SubscribeCommit.self])
}

struct SquashVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "squash", abstract: "Remove commits and keep their data in later ones.",
        subcommands: [SquashCommit.self, SquashOneCommit.self])
}

struct RerunVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rerun", abstract: "Run a pipeline again on what it has.", subcommands: [RerunPipeline.self])
}

struct RunVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run something now.", subcommands: [RunCron.self])
}

struct ValidateVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check a pipeline spec without a server.",
        subcommands: [ValidatePipeline.self])
}

struct EditVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Change a pipeline's spec in an editor, or the metadata of things.",
        subcommands: [EditPipeline.self, EditMetadata.self])
}

struct NextVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "next", abstract: "Used by pipelines' code.", shouldDisplay: false, subcommands: [NextDatum.self])
}

struct RestartVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Start datums of a running job again.", subcommands: [RestartDatum.self])
}

struct ResumeVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Go on with a transaction.", subcommands: [ResumeTransaction.self])
}
