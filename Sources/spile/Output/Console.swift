import Synchronization

/// What a command prints: data on stdout, everything else on stderr.
enum Console {
    /// Writes text to stdout as it is.
    static func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try Descriptor.output.write(UnsafeRawBufferPointer($0), to: "stdout") }
    }

    static func line(_ text: String) throws { try write(text + "\n") }

    /// One line on stderr; a closed stderr is no failure.
    static func note(_ text: String) {
        var text = text + "\n"
        try? text.withUTF8 { try Descriptor.error.write(UnsafeRawBufferPointer($0), to: "stderr") }
    }

    /// Asks on stderr and reads a line from stdin: true for an answer that starts with y or Y.
    static func confirm(_ question: String) throws -> Bool {
        var text = question + " (y/N) "
        try text.withUTF8 { try Descriptor.error.write(UnsafeRawBufferPointer($0), to: "stderr") }
        guard let answer = readLine() else { throw Failure("EOF: no answer on stdin; pipe \"yes\" to it to say yes") }
        return answer.hasPrefix("y") || answer.hasPrefix("Y")
    }
}

/// Colour codes, for a terminal only, and never where `NO_COLOR` or `--no-color` says so.
struct Palette: Sendable {
    let isOn: Bool

    init(isOn: Bool) { self.isOn = isOn }

    init(_ global: GlobalOptions, _ environment: Environment = .process) {
        isOn = !global.noColor && environment.nonEmpty("NO_COLOR") == nil && Descriptor.output.isTerminal
    }

    func green(_ text: String) -> String { paint(text, "32") }
    func yellow(_ text: String) -> String { paint(text, "33") }
    func red(_ text: String) -> String { paint(text, "31") }

    private func paint(_ text: String, _ code: String) -> String {
        isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    /// Eight blocks in the shares of done, waiting and failed; the last one is red if anything failed.
    func bar(done: Int, waiting: Int, failed: Int) -> String {
        let total = done + waiting + failed
        let width = 8
        if total == 0 { return String(repeating: " ", count: width) }
        var reds = failed * width / total
        if failed > 0 && reds == 0 { reds = 1 }
        let greens = min(done * width / total, width - reds)
        let yellows = waiting == 0 ? 0 : width - reds - greens
        let rest = width - greens - yellows - reds
        func blocks(_ count: Int) -> String { String(repeating: "▇", count: count) }
        return green(blocks(greens + rest)) + yellow(blocks(yellows)) + red(blocks(reds))
    }
}
