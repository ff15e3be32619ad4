import Core
import Synchronization

/// Ports that open nowhere: what is open can be asked. Guarded by its mutex.
package final class ScriptedPorts: ServicePorts {
    private struct State {
        var exposures: [PipelineKey: Exposure] = [:]
        var refusals: [SpileError] = []
    }

    private let state = Mutex(State())

    package init() {}

    package func open(_ exposure: Exposure) async throws {
        try state.withLock { state in
            if let refusal = state.refusals.popLast() { throw refusal }
            state.exposures[exposure.pipeline] = exposure
        }
    }

    package func close(_ pipeline: PipelineKey) { state.withLock { $0.exposures[pipeline] = nil } }

    package func exposure(of pipeline: PipelineKey) -> Exposure? { state.withLock { $0.exposures[pipeline] } }

    /// Lets the next opening fail.
    package func refuse(_ error: SpileError) { state.withLock { $0.refusals.append(error) } }
}
