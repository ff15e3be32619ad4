/// Which lines the arrows of a diagram take, and the drawing.
///
/// What leaves a place goes down its one exit, along one level line, and down again to an entry of its own at each
/// target. No entry lies below another place's exit. So every line belongs to one place above, lines of different
/// places meet only where they cross, and what leads where can be read without doubt.
struct DiagramRouting {
    /// What lies between two rows.
    struct Band {
        struct Tree {
            var exit: Int
            /// Columns at which it arrives below.
            var entries: [Int]
            /// Its level line, from the top of the band; unused where it goes straight down.
            var track = 0

            var span: ClosedRange<Int> { min(exit, entries.min() ?? exit)...max(exit, entries.max() ?? exit) }
            var isStraight: Bool { entries == [exit] }
        }
        var trees: [Tree] = []
        var tracks = 0
    }

    private let rows: DiagramRows
    private let placement: DiagramPlacement
    private let style: Diagram.Style
    private var bands: [Band] = []
    /// The column in which each place is left; that of a stand-in is the one in which it is entered.
    private var exits: [Int]

    init(_ rows: DiagramRows, _ placement: DiagramPlacement, _ style: Diagram.Style) {
        self.rows = rows
        self.placement = placement
        self.style = style
        exits = placement.centers
        for row in rows.rows.indices.dropLast() { bands.append(band(below: row)) }
    }

    private mutating func band(below row: Int) -> Band {
        let sources = rows.rows[row].filter { !rows.places[$0].below.isEmpty }
        let taken = Set(sources.map { exits[$0] })
        var entries: [Int: [Int]] = [:]
        for place in rows.rows[row + 1] {
            let above = rows.places[place].above.sorted { (exits[$0], $0) < (exits[$1], $1) }
            let columns = columns(into: place, from: above.map { exits[$0] }, taken)
            for (source, column) in zip(above, columns) { entries[source, default: []].append(column) }
            if rows.places[place].box == nil, let column = columns.first { exits[place] = column }
        }
        var band = Band()
        for source in sources {
            band.trees.append(Band.Tree(exit: exits[source], entries: (entries[source] ?? []).sorted()))
        }
        band.assignTracks()
        return band
    }

    /// A column for each arrow that arrives at a place, from the left, around its middle, none of them below an exit:
    /// its own is fine, which makes a straight line.
    private func columns(into place: Int, from exits: [Int], _ taken: Set<Int>) -> [Int] {
        let (center, half) = (placement.centers[place], placement.halves[place])
        let inner = rows.places[place].box == nil ? half : half - 1
        let room = (center - inner)...(center + inner)
        if exits.count == 1, room.contains(exits[0]) { return exits }
        let step = 4 * (exits.count - 1) < room.count ? 2 : 1
        var result: [Int] = []
        var last = room.lowerBound - 2
        for (index, exit) in exits.enumerated() {
            let left = exits.count - 1 - index
            let free = room.filter { $0 > last && ($0 == exit || !taken.contains($0)) }
            let usable = free.dropLast(min(left, max(0, free.count - 1)))
            let apart = usable.filter { $0 > last + 1 }
            let wish = center + step * (2 * index - (exits.count - 1))
            let nearest = (apart.isEmpty ? Array(usable) : apart).min {
                (abs($0 - wish), $0) < (abs($1 - wish), $1)
            }
            // The width of a box leaves room for all.
            last = nearest ?? min(last + 1, room.upperBound)
            result.append(last)
        }
        return result
    }
}

extension DiagramRouting.Band {
    /// Level lines share a row of text where they lie side by side, with enough between them to be told apart.
    fileprivate mutating func assignTracks() {
        var ends: [Int] = []
        let order = trees.indices.filter { !trees[$0].isStraight }.sorted {
            let (a, b) = (trees[$0].span, trees[$1].span)
            return (a.lowerBound, a.upperBound) < (b.lowerBound, b.upperBound)
        }
        for index in order {
            let span = trees[index].span
            if let free = ends.firstIndex(where: { $0 + 3 < span.lowerBound }) {
                trees[index].track = free
                ends[free] = span.upperBound
            } else {
                trees[index].track = ends.count
                ends.append(span.upperBound)
            }
        }
        tracks = ends.count
    }
}

extension DiagramRouting {
    func draw(_ diagram: Diagram) -> String {
        var canvas = DiagramCanvas()
        var top = 0
        for (number, row) in rows.rows.enumerated() {
            let labels = row.map { place -> [String] in
                guard let box = rows.places[place].box else { return [] }
                return Self.lines(of: diagram.boxes[box].label, width: 2 * placement.halves[place] - 1)
            }
            let height = (labels.map(\.count).max() ?? 1) + 2
            for (place, lines) in zip(row, labels) {
                if let box = rows.places[place].box {
                    draw(lines, at: place, isRound: diagram.boxes[box].isRound, top, height, &canvas)
                } else {
                    canvas.vertical(exits[place], top..<(top + height))
                }
            }
            top += height
            if number < bands.count { top += draw(bands[number], below: number, top, &canvas) }
        }
        return canvas.text
    }

    private func draw(
        _ lines: [String], at place: Int, isRound: Bool, _ top: Int, _ height: Int, _ canvas: inout DiagramCanvas
    ) {
        let (center, half) = (placement.centers[place], placement.halves[place])
        let (left, right) = (center - half, center + half)
        let edge = String(repeating: "-", count: 2 * half - 1)
        canvas.write(isRound ? ".\(edge)." : "+\(edge)+", left, top)
        canvas.write(isRound ? "'\(edge)'" : "+\(edge)+", left, top + height - 1)
        for row in (top + 1)..<(top + height - 1) {
            canvas.write("|", left, row)
            canvas.write("|", right, row)
        }
        let first = top + 1 + (height - 2 - lines.count) / 2
        for (offset, line) in lines.enumerated() { canvas.write(line, center - line.count / 2, first + offset) }
    }

    /// Returns how many lines it takes.
    private func draw(_ band: Band, below row: Int, _ top: Int, _ canvas: inout DiagramCanvas) -> Int {
        let height = max(style.edgeHeight, band.tracks + 2)
        let first = top + (height - band.tracks) / 2
        for tree in band.trees where !tree.isStraight {
            canvas.horizontal(tree.span, first + tree.track)
        }
        for tree in band.trees {
            let level = first + tree.track
            canvas.vertical(tree.exit, top..<(tree.isStraight ? top + height : level))
            for entry in tree.entries { canvas.vertical(entry, level..<(top + height)) }
            if tree.isStraight { continue }
            for column in [tree.exit] + tree.entries { canvas.write("+", column, level) }
        }
        for place in rows.rows[row + 1] where rows.places[place].box != nil {
            let (center, half) = (placement.centers[place], placement.halves[place])
            for tree in band.trees {
                for entry in tree.entries where abs(entry - center) <= half {
                    canvas.write("v", entry, top + height - 1)
                }
            }
        }
        return height
    }

    /// A label in lines of a width, broken behind a separator where there is one.
    static func lines(of label: String, width: Int) -> [String] {
        var lines: [String] = []
        var rest = Substring(label)
        while rest.count > width {
            let head = rest.prefix(width)
            let cut = head.lastIndex { "_-./ ".contains($0) }.map(head.index(after:)) ?? head.endIndex
            lines.append(String(rest[..<cut]))
            rest = rest[cut...]
        }
        return lines + [String(rest)]
    }
}
