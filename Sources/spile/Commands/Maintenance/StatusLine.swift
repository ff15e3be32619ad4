import Synchronization

/// One line of stderr that is written over while something long goes on. Silent unless stderr is a terminal.
struct StatusLine {
    private let isOn = Descriptor.error.isTerminal
    private var isShown = false

    mutating func show(_ text: String) {
        guard isOn else { return }
        isShown = true
        Self.write("\r\u{1B}[K" + text)
    }

    mutating func clear() {
        if isShown { Self.write("\r\u{1B}[K") }
        isShown = false
    }

    private static func write(_ text: String) {
        var text = text
        try? text.withUTF8 { try Descriptor.error.write(UnsafeRawBufferPointer($0), to: "stderr") }
    }
}

/// The same line for threads that take turns; `line` is guarded by the mutex.
final class SharedStatusLine: Sendable {
    private let line = Mutex(StatusLine())

    func show(_ text: String) { line.withLock { $0.show(text) } }
    func clear() { line.withLock { $0.clear() } }
}
