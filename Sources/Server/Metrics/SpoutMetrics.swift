import Core
import Pipelines
import Versioning

extension ServerMetrics {
    /// One spout at the moment of the look.
    private struct Spout {
        var labels: MetricsText.Labels
        var figures: SpoutFigures
        var state: PipelineState
        /// Seconds; nil where there is no commit.
        var age: Double?
        var failuresInARow: Int
        var stall: SpoutStall?
    }

    func addSpouts(to out: inout MetricsText) throws {
        let now = clock.now()
        let spouts = try history.read { catalog in
            try catalog.pipelines(in: nil).filter { $0.kind == .spout }.map { pipeline in
                Spout(
                    labels: [("project", pipeline.key.project.name), ("pipeline", pipeline.key.name)],
                    figures: watch.figures(of: pipeline.key), state: pipeline.state,
                    age: try watch.lastCommit(of: pipeline, in: catalog).map { max(0, now.seconds(since: $0)) },
                    failuresInARow: Int(clamping: try catalog.launch(pipeline.key)?.failures ?? 0),
                    stall: try watch.stall(of: pipeline, in: catalog))
            }
        }
        addCounters(of: spouts, to: &out)
        out.family("spile_spout_failures_in_a_row", .gauge, "Short runs in a row that the newest launch began with.")
        for spout in spouts { out.sample("spile_spout_failures_in_a_row", spout.labels, spout.failuresInARow) }
        out.family("spile_spout_last_commit_age_seconds", .gauge, "Since when the newest good commit is finished.")
        for spout in spouts {
            if let age = spout.age { out.sample("spile_spout_last_commit_age_seconds", spout.labels, age) }
        }
        out.family("spile_spout_state", .gauge, "1 for the state that the pipeline is in, 0 for the others.")
        for spout in spouts {
            for state in PipelineState.allCases where state != .unknown {
                out.sample(
                    "spile_spout_state", spout.labels + [("state", "\(state)")], spout.state == state ? 1 : 0)
            }
        }
        out.family("spile_spout_stalled", .gauge, "1 while the code runs and commits nothing for longer than usual.")
        for spout in spouts { out.sample("spile_spout_stalled", spout.labels, spout.stall == nil ? 0 : 1) }
    }

    private func addCounters(of spouts: [Spout], to out: inout MetricsText) {
        let counters: [(String, String, KeyPath<SpoutFigures, Int>)] = [
            ("spile_spout_commits_total", "Good commits that the code finished.", \.commits),
            ("spile_spout_files_total", "Paths that writes of the code changed.", \.files),
            ("spile_spout_bytes_total", "Bytes of content that the code wrote.", \.bytes),
            ("spile_spout_launches_total", "Runs of the code that began; all but the first are restarts.", \.launches),
            (
                "spile_spout_failures_total", "Runs that ended by themselves, and those that could not be started.",
                \.failures
            ),
            ("spile_spout_refused_writes_total", "Writes of the code that were refused.", \.refusals),
        ]
        for (name, help, figure) in counters {
            out.family(name, .counter, help + " Since the start of the server.")
            for spout in spouts { out.sample(name, spout.labels, spout.figures[keyPath: figure]) }
        }
    }
}
