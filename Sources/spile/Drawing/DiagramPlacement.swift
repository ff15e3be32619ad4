/// Where the places of a diagram stand: columns, from 0.
struct DiagramPlacement {
    /// The middle of each place.
    private(set) var centers: [Int]
    /// Columns to either side of the middle that belong to the place.
    let halves: [Int]
    private static let gap = 3

    init(_ rows: DiagramRows, of diagram: Diagram, _ style: Diagram.Style) {
        halves = rows.places.map { place in
            // A stand-in can give way by one column. A box needs room for each arrow that ends there, and as much for
            // the lines that come down above it.
            guard place.box != nil else { return 1 }
            return max(style.boxWidth + 2, 4 * place.above.count + 3) / 2
        }
        centers = Array(repeating: 0, count: rows.places.count)
        for row in rows.rows { settle(row, at: Array(repeating: 0, count: row.count)) }
        for _ in 0..<4 {
            for row in rows.rows.dropFirst() { follow(row, rows, \.above) }
            for row in rows.rows.dropLast().reversed() { follow(row, rows, \.below) }
        }
        let left = rows.places.indices.map { centers[$0] - halves[$0] }.min() ?? 0
        for index in centers.indices { centers[index] -= left }
    }

    private mutating func follow(
        _ row: [Int], _ rows: DiagramRows, _ neighbours: KeyPath<DiagramRows.Place, [Int]>
    ) {
        let wanted = row.map { place -> Double in
            let others = rows.places[place][keyPath: neighbours]
            if others.isEmpty { return Double(centers[place]) }
            return others.reduce(0) { $0 + Double(centers[$1]) } / Double(others.count)
        }
        settle(row, at: wanted)
    }

    /// Puts the places of a row as near as possible to where they want to be, in their order and without touching:
    /// those that push each other move as one, to the mean of their wishes.
    private mutating func settle(_ row: [Int], at wanted: [Double]) {
        var offsets: [Int] = []
        for (index, place) in row.enumerated() {
            offsets.append(
                index == 0 ? 0 : offsets[index - 1] + halves[row[index - 1]] + halves[place] + 1 + Self.gap)
        }
        var blocks: [(sum: Double, count: Int)] = []
        for (index, wish) in wanted.enumerated() {
            blocks.append((wish - Double(offsets[index]), 1))
            while blocks.count > 1, let last = blocks.last,
                blocks[blocks.count - 2].sum / Double(blocks[blocks.count - 2].count) > last.sum / Double(last.count)
            {
                blocks.removeLast()
                blocks[blocks.count - 1].sum += last.sum
                blocks[blocks.count - 1].count += last.count
            }
        }
        var index = 0
        for block in blocks {
            let shift = Int((block.sum / Double(block.count)).rounded(.down))
            for _ in 0..<block.count {
                centers[row[index]] = shift + offsets[index]
                index += 1
            }
        }
    }
}
