/// A pattern as a flat program. It is matched from the end of the path to its start: for each place, which steps of the
/// program can still reach the end from there. That table answers whether the path matches and shows the way to the
/// groups without a wrong turn, so cost is bounded by places × steps and nothing recurses.
struct GlobProgram: Sendable {
    enum Step: Sendable {
        /// Text that stands for itself.
        case text([Unicode.Scalar])
        /// Any one character but a separator.
        case one
        /// Any number of characters, separators among them or not.
        case run(crosses: Bool)
        case characters(GlobNode.CharacterSet, negated: Bool)
        /// Goes on at the first step or else at the second.
        case either(Int, Int)
        case jump(Int)
        /// A group begins or ends here.
        case opens(Int)
        case closes(Int)
        /// Passes only where the nested program does not.
        case unless(Int)
        /// The program has been passed.
        case end
    }

    private(set) var steps: [Step] = []
    private var nested: [GlobProgram] = []
    private var groupCount = 0
    /// Whether the path must end where the program does.
    private let isAnchored: Bool

    init(_ node: GlobNode, isAnchored: Bool = true) {
        self.isAnchored = isAnchored
        add(node)
        steps.append(.end)
    }

    // MARK: Compiling

    private mutating func add(_ node: GlobNode) {
        switch node {
        case .literal(let text): steps.append(.text(text))
        case .anyOne: steps.append(.one)
        case .anyRun(let crosses): steps.append(.run(crosses: crosses))
        case .characters(let set, let negated): steps.append(.characters(set, negated: negated))
        case .sequence(let nodes): for node in nodes { add(node) }
        case .alternatives(let nodes): addAlternatives(nodes)
        case .group(let number, let inner, let least, let most):
            groupCount = max(groupCount, number)
            steps.append(.opens(number))
            addRepeated(inner, least: least, most: most)
            steps.append(.closes(number))
        case .negation(let inner, let isLast):
            let program = GlobProgram(inner, isAnchored: isLast)
            groupCount = max(groupCount, program.groupCount)
            steps.append(.unless(nested.count))
            nested.append(program)
            steps.append(.run(crosses: false))
        }
    }

    private mutating func addAlternatives(_ nodes: [GlobNode]) {
        var exits: [Int] = []
        for (index, node) in nodes.enumerated() {
            let fork = steps.count
            if index < nodes.count - 1 { steps.append(.end) }
            add(node)
            if index < nodes.count - 1 {
                exits.append(steps.count)
                steps.append(.end)
                steps[fork] = .either(fork + 1, steps.count)
            }
        }
        for exit in exits { steps[exit] = .jump(steps.count) }
    }

    private mutating func addRepeated(_ node: GlobNode, least: Int, most: Int) {
        let start = steps.count
        switch (least, most) {
        case (1, 1): add(node)
        case (0, 1):
            steps.append(.end)
            add(node)
            steps[start] = .either(start + 1, steps.count)
        case (0, _):
            steps.append(.end)
            add(node)
            steps.append(.jump(start))
            steps[start] = .either(start + 1, steps.count)
        default:
            add(node)
            steps.append(.either(start, steps.count + 1))
        }
    }

    // MARK: Matching

    func matches(_ text: [Unicode.Scalar]) -> Bool { reach(text)[0, 0] }

    /// Where a search for the groups can go on if it gets nowhere.
    private struct Turn {
        var step: Int
        var place: Int
        var starts: [Int]
        var groups: [Range<Int>?]
    }

    /// The range of each group in a match, nil for a group that took no part; nil if `text` does not match. Of the ways
    /// to match it is the one that takes what comes first; the table keeps it from most wrong turns, and none is taken
    /// twice.
    func groups(_ text: [Unicode.Scalar]) -> [Range<Int>?]? {
        let reach = reach(text)
        guard reach[0, 0] else { return nil }
        var visited = BitTable(rows: text.count + 1, columns: steps.count)
        var now = Turn(
            step: 0, place: 0, starts: Array(repeating: 0, count: groupCount + 1),
            groups: Array(repeating: nil, count: groupCount))
        var others: [Turn] = []
        while true {
            // A step met again at the same place gets nowhere: a round of a loop that took nothing.
            if !reach[now.place, now.step] || visited[now.place, now.step] {
                guard let other = others.popLast() else { return nil }
                now = other
                continue
            }
            visited.set(now.place, now.step)
            switch steps[now.step] {
            case .end: return now.groups
            case .either(let first, let second):
                now.step = second
                others.append(now)
                now.step = first
            case .jump(let target): now.step = target
            case .run(let crosses):
                let canTake = now.place < text.count && (crosses || text[now.place] != "/")
                now.step += 1
                guard canTake, reach[now.place + 1, now.step - 1] else { continue }
                if reach[now.place, now.step] { others.append(now) }
                now.step -= 1
                now.place += 1
            case .text(let run): advance(&now, by: run.count)
            case .one, .characters: advance(&now, by: 1)
            case .opens(let number):
                now.starts[number] = now.place
                now.step += 1
            case .closes(let number):
                now.groups[number - 1] = now.starts[number]..<now.place
                now.step += 1
            case .unless: now.step += 1
            }
        }
    }

    private func advance(_ turn: inout Turn, by count: Int) {
        turn.place += count
        turn.step += 1
    }

    /// For each place and step whether the program's end can be reached.
    private func reach(_ text: [Unicode.Scalar]) -> BitTable {
        let barred = nested.map { program in
            let reach = program.reach(text)
            return (0...text.count).map { reach[$0, 0] }
        }
        var table = BitTable(rows: text.count + 1, columns: steps.count)
        let hasLoop = steps.indices.contains { index in
            switch steps[index] {
            case .either(let first, _): first < index
            case .jump(let target): target < index
            default: false
            }
        }
        for place in stride(from: text.count, through: 0, by: -1) {
            // Against the order of the steps, so that all but loops is settled at once. A loop's start is seen by its
            // end in a second turn; loops in loops, which pass on nothing new, take as many as they are deep.
            var isSettled = false
            while !isSettled {
                isSettled = true
                for step in steps.indices.reversed() where !table[place, step] {
                    if passes(step, place, text, table, barred) {
                        table.set(place, step)
                        if hasLoop { isSettled = false }
                    }
                }
            }
        }
        return table
    }

    @inline(__always)
    private func passes(
        _ step: Int, _ place: Int, _ text: [Unicode.Scalar], _ table: BitTable, _ barred: [[Bool]]
    ) -> Bool {
        switch steps[step] {
        case .text(let run):
            let end = place + run.count
            return end <= text.count && table[end, step + 1] && text[place..<end].elementsEqual(run)
        case .one: return place < text.count && table[place + 1, step + 1] && text[place] != "/"
        case .run(let crosses):
            if table[place, step + 1] { return true }
            return place < text.count && table[place + 1, step] && (crosses || text[place] != "/")
        case .characters(let set, let negated):
            return place < text.count && table[place + 1, step + 1] && set.contains(text[place]) != negated
        case .opens, .closes: return table[place, step + 1]
        case .unless(let index): return !barred[index][place] && table[place, step + 1]
        case .either(let first, let second): return table[place, first] || table[place, second]
        case .jump(let target): return table[place, target]
        case .end: return !isAnchored || place == text.count
        }
    }
}

/// Rows of bits.
private struct BitTable {
    private var words: [UInt64]
    private let width: Int

    init(rows: Int, columns: Int) {
        width = (columns + 63) / 64
        words = Array(repeating: 0, count: rows * width)
    }

    subscript(row: Int, column: Int) -> Bool { words[row * width + column >> 6] >> UInt64(column & 63) & 1 != 0 }

    mutating func set(_ row: Int, _ column: Int) { words[row * width + column >> 6] |= 1 << UInt64(column & 63) }
}
