import API
import Core
import Pipelines

/// CheckStatus (`pps.md` §11): the pipelines that want looking at, and why.
extension PPSService {
    func checkStatus(_ request: PpsV2_CheckStatusRequest, _ call: Call) throws -> [PpsV2_CheckStatusResponse] {
        let isOfProject = request.project.name.isEmpty == false && !request.all
        let projects = isOfProject ? [ProjectKey(request.project)] : nil
        let now = clock.now()
        let pipelines = try shown(manager.list(PipelineManager.Listing(projects: projects), as: call.principal))
        return try pipelines.compactMap { pipeline in
            let alerts = try pipeline.alerts(at: now)
            if alerts.isEmpty { return nil }
            return .with {
                if isOfProject { $0.project = request.project }
                $0.pipeline = pipeline.key.message
                $0.alerts = alerts
            }
        }
    }
}

extension PipelineRecord {
    /// Whether it has run longer than its spec expects (without an expectation: at all), and whether it fails.
    func alerts(at now: Instant) throws -> [String] {
        var result: [String] = []
        if state == .crashing || state == .failure {
            result.append("\(key): \(state == .crashing ? "CRASHING" : "FAILURE"): \(reason)")
        }
        // Nothing but a stall gives a pipeline that runs a reason.
        if state == .running && !reason.isEmpty { result.append("\(key): STALLED: \(reason)") }
        if let workersStartedAt {
            let expected = try PipelineSpec(canonical: effectiveSpec).maximumExpectedUptime ?? 0
            let excess = now.seconds(since: workersStartedAt) - expected
            if excess > 0 {
                result.append(
                    "\(key): Started running at \(SpecTimestamp.format(workersStartedAt)), exceeded maximum uptime by "
                        + Self.span(excess))
            }
        }
        return result
    }

    /// As Go writes durations: `1h2m3.5s`.
    static func span(_ seconds: Double) -> String {
        let tenths = Int64(min(seconds, 1e12) * 10)
        let whole = tenths / 10
        let rest = "\(whole % 60)" + (tenths % 10 == 0 ? "" : ".\(tenths % 10)") + "s"
        if whole < 60 { return rest }
        if whole < 3600 { return "\(whole / 60)m" + rest }
        return "\(whole / 3600)h\(whole / 60 % 60)m" + rest
    }
}
