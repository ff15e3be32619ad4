/// An argument line brought to one form: the command's words, its flags by long name, and what is left.
///
/// The original's flag grammar is wider than the parser's: joined values (`-xv`), explicit empty values (`--x=`),
/// booleans with a value (`--x=false`), flags in front of the verb, plural nouns. All of that ends here.
struct CommandLineForm: Equatable, Sendable {
    enum Setting: Equatable, Sendable {
        case on
        case off
        case value(String)
    }
    struct Flag: Equatable, Sendable {
        let name: String
        let setting: Setting
    }

    var command: [String]
    var flags: [Flag] = []
    var operands: [String] = []

    /// Reads the arguments after the program's name; throws for words and flags that mean nothing here.
    init(_ arguments: [String]) throws {
        let found = try Self.findCommand(in: arguments)
        command = found.map(\.word)
        try read(arguments.indices.filter { index in !found.contains { $0.index == index } }.map { arguments[$0] })
    }

    /// What the parser is given.
    var arguments: [String] {
        var line = command
        for flag in flags {
            switch flag.setting {
            case .on: line.append("--" + flag.name)
            case .off: line.append("--no-" + flag.name)
            case .value(let value): line += ["--" + flag.name, value]
            }
        }
        if operands.contains(where: { $0.hasPrefix("-") }) { line.append("--") }
        return line + operands
    }

    // MARK: - The command's words

    private static func findCommand(in arguments: [String]) throws -> [(index: Int, word: String)] {
        var found: [(index: Int, word: String)] = []
        // The words found, each with a blank behind it.
        var path = ""
        var index = 0
        // `check` is a command of its own and the beginning of another: the longest that fits counts.
        while index < arguments.count, !FlagTable.isWhole(path) || FlagTable.isPrefix(path) {
            let argument = arguments[index]
            if argument == "--" { break }
            if argument.hasPrefix("-"), argument.count > 1 {
                index += skipsNext(argument, after: path, next: arguments.dropFirst(index + 1).first) ? 2 : 1
                continue
            }
            let word = FlagTable.leads(path, argument) ? argument : FlagTable.singular(argument)
            guard FlagTable.leads(path, word) else {
                if FlagTable.isWhole(path) { break }
                throw unknown(argument, after: found.map(\.word), choices: FlagTable.next(after: path))
            }
            found.append((index, word))
            path += word + " "
            index += 1
        }
        return found
    }

    /// Whether a flag in front of the command takes the token after it.
    private static func skipsNext(_ flag: String, after path: String, next: String?) -> Bool {
        guard let next, !flag.contains("=") else { return false }
        if flag.hasPrefix("--") { return FlagTable.takesValue(long: String(flag.dropFirst(2))) }
        return flag != "-v" && flag != "-h" && flag.count == 2 && !FlagTable.leads(path, FlagTable.singular(next))
    }

    private static func unknown(_ word: String, after path: [String], choices: Set<String>) -> Failure {
        let place = path.isEmpty ? "" : " after \"\(path.joined(separator: " "))\""
        var text = "unknown command \"\(word)\"\(place)"
        let best = closest(to: word, among: choices)
        text += best.map { "; did you mean \"\((path + [$0]).joined(separator: " "))\"?" } ?? ""
        return Failure(text + "\nKnown words here: " + choices.sorted().joined(separator: ", "))
    }

    // MARK: - Flags and operands

    private mutating func read(_ arguments: [String]) throws {
        let specs = FlagTable.flags(of: command.joined(separator: " "))
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                operands += rest
                return
            }
            if argument.hasPrefix("--") {
                try readLong(argument.dropFirst(2), specs, &rest)
            } else if argument.hasPrefix("-"), argument.count > 1 {
                try readLetters(argument.dropFirst(), specs, &rest)
            } else {
                operands.append(argument)
            }
        }
    }

    private mutating func readLong(
        _ text: Substring, _ specs: [FlagSpec], _ rest: inout ArraySlice<String>
    ) throws {
        let name = text.prefix { $0 != "=" }
        let given: String? = name.count < text.count ? String(text.dropFirst(name.count + 1)) : nil
        guard let spec = specs.first(where: { $0.name == name }) else {
            if FlagTable.harmless.contains(String(name)) { return }
            throw unknownFlag("--\(name)", specs)
        }
        try set(spec, shown: "--\(name)", given: given, &rest)
    }

    private mutating func readLetters(
        _ text: Substring, _ specs: [FlagSpec], _ rest: inout ArraySlice<String>
    ) throws {
        var text = text
        while let letter = text.popFirst() {
            guard let spec = specs.first(where: { $0.letter == letter }) else {
                throw unknownFlag("-\(letter)", specs)
            }
            if text.first == "=" {
                return try set(spec, shown: "-\(letter)", given: String(text.dropFirst()), &rest)
            }
            if spec.arity == .value {
                return try set(spec, shown: "-\(letter)", given: text.isEmpty ? nil : String(text), &rest)
            }
            try set(spec, shown: "-\(letter)", given: nil, &rest)
        }
    }

    private mutating func set(
        _ spec: FlagSpec, shown: String, given: String?, _ rest: inout ArraySlice<String>
    ) throws {
        if spec.arity == .value {
            guard let value = given ?? rest.popFirst() else { throw Failure("flag \(shown) needs a value") }
            flags.append(Flag(name: spec.name, setting: .value(value)))
            return
        }
        guard let on = parseBool(given ?? "true") else {
            throw Failure("flag \(shown) is either true or false, not \"\(given ?? "")\"")
        }
        flags.removeAll { $0.name == spec.name }
        if on {
            flags.append(Flag(name: spec.name, setting: .on))
        } else if spec.arity == .toggle {
            flags.append(Flag(name: spec.name, setting: .off))
        }
    }

    private func unknownFlag(_ shown: String, _ specs: [FlagSpec]) -> Failure {
        var text = "unknown flag: \(shown)"
        if shown == "--split" || shown == "--target-file-datums" {
            return Failure(text + "; split the data before the put, or put one file per record")
        }
        if shown.hasPrefix("--"), let best = closest(to: String(shown.dropFirst(2)), among: specs.map(\.name)) {
            text += "; did you mean --\(best)?"
        }
        return Failure(
            text + "\nSee \"\((command + ["--help"]).joined(separator: " "))\" for the flags of this command")
    }
}

/// The candidate nearest to a word, if it is near enough to be a slip of the hand.
func closest(to word: String, among candidates: some Sequence<String>) -> String? {
    let near = candidates.map { ($0, editDistance(word, $0)) }.filter { $0.1 <= max(1, word.count / 3) }
    return near.min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
}

/// How many letters must be changed, added, left out or swapped with the next to make one word of the other.
func editDistance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var rows = [Array(0...b.count)]
    for i in a.indices {
        var row = [i + 1]
        for j in b.indices {
            var cost = min(rows[i][j] + (a[i] == b[j] ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, rows[i - 1][j - 1] + 1) }
            row.append(cost)
        }
        rows.append(row)
    }
    return rows[a.count][b.count]
}
