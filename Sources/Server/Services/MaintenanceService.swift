import API
import Backends
import Core
import GRPCCore
import Storage
import Versioning

/// `spile.v1.Maintenance`: calls of our own that keep a store small, sound and backed up.
struct MaintenanceService: Sendable {
    let history: History
    /// The folder of the store's segments; nil where they are in no folder.
    let segments: String?
    let secretsKey: String
    /// For people to find the store.
    let store: String

    private typealias Method = Spile_V1_Maintenance.Method

    func register(in routes: inout Routes) {
        routes.serverStream(Method.CollectGarbage.descriptor) {
            (request: Spile_V1_CollectGarbageRequest, call, writer: RPCWriter<Spile_V1_CollectGarbageResponse>) in
            try Self.refuseLaunches(call)
            try await collect(request, writer)
        }
        routes.serverStream(Method.Check.descriptor) {
            (request: Spile_V1_CheckRequest, call, writer: RPCWriter<Spile_V1_CheckResponse>) in
            try Self.refuseLaunches(call)
            let check = try history.makeCheck(data: request.data)
            while let finding = try check.next() {
                try Task.checkCancellation()
                try await writer.write(finding.message)
            }
        }
        routes.serverStream(Method.Snapshot.descriptor) {
            (request: Spile_V1_SnapshotRequest, call, writer: RPCWriter<Spile_V1_SnapshotResponse>) in
            try Self.refuseLaunches(call)
            try await snapshot(request, writer)
        }
    }

    private static func refuseLaunches(_ call: Call) throws {
        guard case .launch(let pipeline, _) = call.principal else { return }
        throw Principal.refusal(of: pipeline, "only a user looks after the store")
    }

    private func collect(
        _ request: Spile_V1_CollectGarbageRequest, _ writer: RPCWriter<Spile_V1_CollectGarbageResponse>
    ) async throws {
        var options = GarbageOptions()
        options.isDryRun = request.dryRun
        let chosen = options
        let report = try await OwnThread.run("garbage") { (progress: GarbageProgress) in
            try await writer.write(progress.message)
        } _: { [history] pacer, report in
            try history.collectGarbage(chosen, pause: pacer.pause, report: report)
        }
        try await writer.write(report.message)
        if let problem = report.damaged.first {
            throw SpileError(
                .dataLoss,
                "\(report.damaged.count) segments were left as they are because they are damaged: \(problem)",
                remedy: "run `spile check`")
        }
    }

    private func snapshot(
        _ request: Spile_V1_SnapshotRequest, _ writer: RPCWriter<Spile_V1_SnapshotResponse>
    ) async throws {
        guard let segments else {
            throw SpileError(
                .failedPrecondition, "a backup into a folder is made of a store in a folder; this one is at \(store)",
                remedy: "back up the database first and the bucket after it, with their own tools")
        }
        let (path, secretsKey) = (request.path, secretsKey)
        let summary = try await OwnThread.run("snapshot") { (progress: SegmentCopyProgress) in
            try await writer.write(progress.message)
        } _: { [history] pacer, report in
            try history.snapshot(to: try LocalSnapshot(path, ofSegments: segments, keyFile: secretsKey)) {
                try pacer.pause(0)
                report($0)
            }
        }
        var last = summary.message
        last.done = true
        try await writer.write(last)
    }
}

extension HistoryFinding {
    var message: Spile_V1_CheckResponse {
        .with {
            $0.subject = subject
            $0.path = path ?? ""
            $0.slot = slot.map { "\($0)" } ?? ""
            $0.problem = problem
        }
    }
}

extension GarbageProgress {
    fileprivate var message: Spile_V1_CollectGarbageResponse {
        .with {
            switch self {
            case .marking(let nodes):
                $0.stage = .marking
                $0.nodes = UInt64(nodes)
            case .waiting: $0.stage = .waiting
            case .sweeping(let done, let total, let freed):
                $0.stage = .sweeping
                $0.segmentsDone = UInt64(done)
                $0.segmentsTotal = UInt64(total)
                $0.bytesFreed = UInt64(freed)
            }
        }
    }
}

extension GarbageReport {
    fileprivate var message: Spile_V1_CollectGarbageResponse {
        .with {
            $0.stage = .done
            $0.nodes = UInt64(nodes)
            $0.bytesFreed = UInt64(bytesFreed)
            $0.plan.segments = UInt64(plan.segments)
            $0.plan.bytes = UInt64(plan.bytes)
            $0.plan.slotsLive = UInt64(plan.slotsLive)
            $0.plan.slotsDead = UInt64(plan.slotsDead)
            $0.plan.bytesDead = UInt64(plan.bytesDead)
            $0.plan.segmentsDropped = UInt64(plan.segmentsDropped)
            $0.plan.segmentsRewritten = UInt64(plan.segmentsRewritten)
            $0.plan.bytesToFree = UInt64(plan.bytesToFree)
        }
    }
}

extension SegmentCopyProgress {
    fileprivate var message: Spile_V1_SnapshotResponse {
        .with {
            $0.segmentsDone = UInt64(segmentsDone)
            $0.segmentsTotal = UInt64(segmentsTotal)
            $0.bytesCopied = UInt64(bytesCopied)
            $0.bytesLinked = UInt64(bytesShared)
        }
    }
}
