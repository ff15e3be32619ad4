import Synchronization

/// How much of a transfer is done, on one line of stderr that is written over. Silent unless stderr is a terminal, and
/// for transfers that are over before a reader could look.
final class Progress: Sendable {
    private struct State {
        var done: Int64 = 0
        var shown: ContinuousClock.Instant?
    }

    private let label: String
    private let total: Int64?
    private let isOn: Bool
    private let start = ContinuousClock.now
    /// Guarded by the mutex: the transfer adds, and whoever adds draws.
    private let state = Mutex(State())

    /// `total` in bytes, nil where it is not known. `wanted` is the user's flag, nil where none was given.
    init(_ label: String, total: Int64?, wanted: Bool?) {
        self.label = label
        self.total = total
        isOn = (wanted ?? true) && Descriptor.error.isTerminal
    }

    func add(_ bytes: Int) {
        guard isOn else { return }
        let line: String? = state.withLock { state in
            state.done += Int64(bytes)
            let now = ContinuousClock.now
            guard now - start > .milliseconds(500), now - (state.shown ?? start) > .milliseconds(100) else {
                return nil
            }
            state.shown = now
            return text(state.done, elapsed: now - start)
        }
        if let line { write("\r\u{1B}[K" + line) }
    }

    /// Clears the line.
    func finish() {
        if isOn, state.withLock({ $0.shown }) != nil { write("\r\u{1B}[K") }
    }

    private func text(_ done: Int64, elapsed: Duration) -> String {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let rate = formatSize(Int64(Double(done) / seconds))
        guard let total, total > 0 else { return "\(label) \(formatSize(done)) \(rate)/s" }
        let width = 30
        let filled = min(width, Int(done * Int64(width) / total))
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
        return "\(label) [\(bar)] \(formatSize(done)) / \(formatSize(total)) \(rate)/s"
    }

    private func write(_ text: String) {
        var text = text
        try? text.withUTF8 { try Descriptor.error.write(UnsafeRawBufferPointer($0), to: "stderr") }
    }
}
