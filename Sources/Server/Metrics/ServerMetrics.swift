import Core
import Pipelines
import Storage
import Versioning

/// Everything that `/metrics` shows, gathered when somebody looks. docs/OPERATIONS.md lists it.
struct ServerMetrics: Sendable {
    let history: History
    let watch: SpoutWatch
    let calls: CallMetrics
    let clock: any Clock
    /// When the server was started.
    let started: Instant

    /// Reads one snapshot of the catalog. Blocks.
    func text() throws -> String {
        var out = MetricsText()
        addProcess(to: &out)
        addCalls(to: &out)
        addCommitter(to: &out)
        addStore(to: &out)
        try addSpouts(to: &out)
        return out.text
    }

    private func addProcess(to out: inout MetricsText) {
        out.family("spile_build_info", .gauge, "The version of the server and of the API it speaks; always 1.")
        out.sample(
            "spile_build_info", [("version", ServerVersion.spile), ("api_version", ServerVersion.text)], 1)
        out.single(
            "process_start_time_seconds", .gauge, "When the server was started, in seconds since 1970.",
            Double(started.nanoseconds) / 1e9)
        out.single(
            "process_resident_memory_bytes", .gauge, "Memory of the process that is resident.",
            Double(MemoryService.resident))
    }

    private func addCalls(to out: inout MetricsText) {
        let called = calls.called
        out.family("grpc_server_handled_total", .counter, "Calls that ended, by method and code.")
        for method in called {
            for (code, count) in method.handled {
                out.sample(
                    "grpc_server_handled_total",
                    [("grpc_service", method.service), ("grpc_method", method.method), ("grpc_code", code)], count)
            }
        }
        out.family("grpc_server_handling_seconds", .histogram, "How long calls took, by method, streams to their end.")
        for method in called {
            out.histogram(
                "grpc_server_handling_seconds", [("grpc_service", method.service), ("grpc_method", method.method)],
                method.seconds.reading, unit: 1e-9)
        }
    }

    private func addCommitter(to out: inout MetricsText) {
        let figures = history.figures
        out.family("spile_commit_batch_size", .histogram, "Changes that one group commit made durable together.")
        out.histogram("spile_commit_batch_size", [], figures.batches.reading)
        out.single(
            "spile_commit_queue_length", .gauge, "Changes that wait for the next group commit.",
            Double(figures.queued.current))
        out.single(
            "spile_commit_failures_total", .counter, "Group commits that could not be made durable and were refused.",
            Double(figures.failures.current))
        out.single(
            "spile_commit_refusing", .gauge, "1 while the newest group commit could not be made durable.",
            figures.whyRefused == nil ? 0 : 1)
    }

    private func addStore(to out: inout MetricsText) {
        let store = history.store.statistics()
        let families: [(String, MetricsText.Kind, String, Int)] = [
            ("spile_store_open_segments", .gauge, "Segments that are written to.", store.openSegments),
            ("spile_store_sealed_segments", .gauge, "Segments that are complete.", store.sealedSegments),
            ("spile_store_sealed_bytes", .gauge, "Bytes of the segments that are complete.", store.sealedBytes),
            ("spile_store_recovered_segments_total", .counter, "Segments that a crash left open.",
                store.recoveredSegments),
            ("spile_store_abandoned_segments_total", .counter, "Segments given up after an error.",
                store.abandonedSegments),
            ("spile_store_slots_appended_total", .counter, "Slots written.", store.slotsAppended),
            ("spile_store_payload_bytes_total", .counter, "Bytes in the slots written.", store.payloadBytes),
            ("spile_store_written_bytes_total", .counter, "Bytes written to segments.", store.bytesWritten),
            ("spile_store_read_bytes_total", .counter, "Bytes read from segments.", store.bytesRead),
            ("spile_store_syncs_total", .counter, "Times that a segment was made durable.", store.syncs),
            ("spile_store_dedup_hits_total", .counter, "Chunks that were there already.", store.dedupHits),
            ("spile_store_dedup_misses_total", .counter, "Chunks that were not.", store.dedupMisses),
            ("spile_store_spilled_runs_total", .counter, "Stretches of changes put aside by large streams.",
                store.spilledRuns),
            ("spile_store_abandoned_streams_total", .counter, "Streams given up after they had begun to write.",
                store.abandonedStreams),
            ("spile_store_node_cache_bytes", .gauge, "Bytes of tree nodes kept.", store.nodeCacheBytes),
            ("spile_store_node_cache_hits_total", .counter, "Tree nodes found among those kept.", store.nodeCacheHits),
            ("spile_store_node_cache_misses_total", .counter, "Tree nodes that had to be read.",
                store.nodeCacheMisses),
        ]
        for (name, kind, help, value) in families { out.single(name, kind, help, Double(value)) }
    }
}
