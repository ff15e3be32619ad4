import Core

/// Cuts a container's log into lines, each of which the server has put a time before, and remembers where it got to:
/// after a break the log is read again from that second on, and what was seen already is passed over.
struct KubernetesLogLines {
    /// As for programs of other launchers; longer lines come in pieces.
    private let longest: Int
    private var pending: [UInt8] = []
    /// The time of the line that `pending` is part of; nil before it is known.
    private var time: Instant?
    private var isTimeKnown = false
    /// Whether the line was seen before the break.
    private var isOld = false
    private var last: Instant?
    /// Lines of that time that were seen, all told.
    private var seen = 0
    /// Lines of that time that came again since the log was opened.
    private var again = 0
    private var isReopened = false

    /// Longest time and blank before a line.
    private static let longestTime = 64

    init(longest: Int = 64 << 10) { self.longest = longest }

    /// From when on the log has to be read; nil for all of it. The API takes whole seconds.
    var since: String? { last.map(SpecTimestamp.formatSeconds) }

    /// The log is read from ``since`` again. What was half a line comes once more, from its beginning.
    mutating func reopen() {
        pending.removeAll(keepingCapacity: true)
        (time, isTimeKnown, isOld, again) = (nil, false, false, 0)
        isReopened = last != nil
    }

    mutating func take(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isTimeKnown { timeRead(String(decoding: pending, as: UTF8.self), isWhole: true) }
                flush(&lines, isEnd: true)
            } else if !isTimeKnown, byte == UInt8(ascii: " ") || pending.count == Self.longestTime {
                timeRead(String(decoding: pending, as: UTF8.self), isWhole: byte != UInt8(ascii: " "))
                if byte != UInt8(ascii: " ") { pending.append(byte) }
            } else {
                if isTimeKnown, pending.count == longest { flush(&lines, isEnd: false) }
                pending.append(byte)
            }
        }
        return lines
    }

    /// The last line, where the log ended without a line end.
    mutating func finish() -> [String] {
        var lines: [String] = []
        if !isTimeKnown, !pending.isEmpty { timeRead(String(decoding: pending, as: UTF8.self), isWhole: true) }
        if !pending.isEmpty { flush(&lines, isEnd: true) }
        return lines
    }

    /// The time before a line has come whole. A line without one is given out as it is.
    private mutating func timeRead(_ text: String, isWhole: Bool) {
        isTimeKnown = true
        time = SpecTimestamp.parse(text)
        guard let time else {
            if !isWhole { pending.append(UInt8(ascii: " ")) }
            return
        }
        pending.removeAll(keepingCapacity: true)
        guard isReopened, let last else { return }
        if time < last {
            isOld = true
        } else if time == last, again < seen {
            again += 1
            isOld = true
        } else {
            isReopened = false
        }
    }

    private mutating func flush(_ lines: inout [String], isEnd: Bool) {
        defer { pending.removeAll(keepingCapacity: true) }
        if !isOld {
            if pending.last == UInt8(ascii: "\r") { pending.removeLast() }
            lines.append(String(decoding: pending, as: UTF8.self))
        }
        guard isEnd else { return }
        if !isOld, let time {
            seen = time == last ? seen + 1 : 1
            last = time
        }
        (time, isTimeKnown, isOld) = (nil, false, false)
    }
}
