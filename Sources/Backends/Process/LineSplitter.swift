/// Cuts a stream of bytes into lines of bounded length; a longer line comes in pieces.
struct LineSplitter {
    private var pending: [UInt8] = []
    private let longest: Int

    init(longest: Int = 64 << 10) { self.longest = longest }

    /// Takes the next bytes and returns the lines they complete, without line ends.
    mutating func take(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(flush())
            } else {
                if pending.count == longest { lines.append(flush()) }
                pending.append(byte)
            }
        }
        return lines
    }

    /// The last line, if the stream ended without a line end.
    mutating func finish() -> String? { pending.isEmpty ? nil : flush() }

    private mutating func flush() -> String {
        defer { pending.removeAll(keepingCapacity: true) }
        if pending.last == UInt8(ascii: "\r") { pending.removeLast() }
        return String(decoding: pending, as: UTF8.self)
    }
}
