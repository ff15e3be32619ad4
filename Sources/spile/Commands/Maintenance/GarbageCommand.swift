import API
import ArgumentParser

struct GarbageCommand: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "gc", abstract: "Give back the space of what no commit holds any more.",
            discussion: """
                The server does this by itself every so often (server --gc-interval). Deleting a repo or a commit \
                frees nothing at once: its files may be shared with others. Look first, then do it:

                  \(Program.name) delete repo old-readings
                  \(Program.name) gc --dry-run
                  \(Program.name) gc
                """)
    }

    @Flag(name: .customLong("dry-run"), help: "Say what would be given back, and change nothing.")
    var dryRun = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let session = try await Session.open(global)
        let dryRun = dryRun
        try await session.maintenance.collectGarbage(.with { $0.dryRun = dryRun }) { response in
            var line = StatusLine()
            for try await progress in response.messages {
                if progress.stage == .done {
                    line.clear()
                    try Console.write(GarbageText.summary(progress, dryRun: dryRun))
                } else {
                    line.show(GarbageText.line(progress))
                }
            }
            line.clear()
        }
    }
}

/// A collection in words.
enum GarbageText {
    static func line(_ progress: Spile_V1_CollectGarbageResponse) -> String {
        switch progress.stage {
        case .marking: "looking: \(progress.nodes) nodes"
        case .waiting: "waiting for writes and reads under way"
        case .sweeping:
            "writing segments: \(progress.segmentsDone) of \(progress.segmentsTotal), "
                + "\(size(progress.bytesFreed)) given back"
        default: ""
        }
    }

    static func summary(_ end: Spile_V1_CollectGarbageResponse, dryRun: Bool) -> String {
        let plan = end.plan
        let dead = "\(plan.slotsDead) of \(plan.slotsLive + plan.slotsDead) slots"
        var text = "Segments: \(plan.segments), \(size(plan.bytes))\n"
        text += "Dead: \(size(plan.bytesDead)) in \(dead)\n"
        text += "Segments that go: \(plan.segmentsDropped), written anew: \(plan.segmentsRewritten)\n"
        if !dryRun { return text + "Given back: \(size(end.bytesFreed))\n" }
        text += "Would give back: \(size(plan.bytesToFree))\n"
        // A store that was filled a moment ago would otherwise seem to have nothing to give.
        return text + "Segments that are still written to are not counted; without --dry-run they are closed first.\n"
    }

    private static func size(_ bytes: UInt64) -> String { formatSize(Int64(clamping: bytes)) }
}
