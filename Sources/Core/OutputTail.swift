import Synchronization

/// The last lines that a run printed, for whoever has to say why it ended. Lines may come from several threads.
package final class OutputTail: Sendable {
    private let kept = Mutex<[String]>([])
    private let limit: Int
    private static let longestLine = 200

    package init(limit: Int) { self.limit = limit }

    package func append(_ line: String) {
        let short = line.count > Self.longestLine ? String(line.prefix(Self.longestLine)) + "…" : line
        kept.withLock { lines in
            lines.append(short)
            if lines.count > limit { lines.removeFirst() }
        }
    }

    package var lines: [String] { kept.withLock { $0 } }
}
