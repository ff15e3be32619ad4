/// The boxes of a diagram in rows, every arrow leading from one row to the next: where it passes a row, there is a
/// stand-in for it.
struct DiagramRows {
    struct Place {
        /// Index of its box; nil for a stand-in.
        var box: Int?
        /// Places in the row above that lead here, and in the row below to which this leads.
        var above: [Int] = []
        var below: [Int] = []
        var row: Int
    }

    private(set) var places: [Place]
    /// From the top; the places of each from the left.
    private(set) var rows: [[Int]]

    /// Arrows that lead back up, which only a cycle has, are left out.
    init(_ diagram: Diagram) {
        let levels = Self.levels(of: diagram)
        places = diagram.boxes.indices.map { Place(box: $0, row: levels[$0]) }
        rows = Array(repeating: [], count: (levels.max() ?? 0) + 1)
        for arrow in diagram.arrows where levels[arrow.from] < levels[arrow.to] {
            var last = arrow.from
            for row in (levels[arrow.from] + 1)..<levels[arrow.to] {
                places.append(Place(row: row))
                connect(last, places.count - 1)
                last = places.count - 1
            }
            connect(last, arrow.to)
        }
        for index in places.indices { rows[places[index].row].append(index) }
    }

    private mutating func connect(_ above: Int, _ below: Int) {
        places[above].below.append(below)
        places[below].above.append(above)
    }

    /// One below the lowest that leads there; what nothing leads to stands right above the highest that it leads to.
    private static func levels(of diagram: Diagram) -> [Int] {
        var incoming = Array(repeating: 0, count: diagram.boxes.count)
        var outgoing: [[Int]] = Array(repeating: [], count: diagram.boxes.count)
        for arrow in diagram.arrows {
            incoming[arrow.to] += 1
            outgoing[arrow.from].append(arrow.to)
        }
        let isTop = incoming.map { $0 == 0 }
        var levels = Array(repeating: 0, count: diagram.boxes.count)
        var open = Set(diagram.boxes.indices)
        while let next = open.min(by: { (incoming[$0], $0) < (incoming[$1], $1) }) {
            open.remove(next)
            for target in outgoing[next] where open.contains(target) {
                incoming[target] -= 1
                levels[target] = max(levels[target], levels[next] + 1)
            }
        }
        for index in diagram.boxes.indices where isTop[index] {
            if let highest = outgoing[index].map({ levels[$0] }).min() { levels[index] = highest - 1 }
        }
        return levels
    }

    /// Orders each row by where its neighbours stand, down and up in turn, and keeps the best order that comes up.
    mutating func reduceCrossings() {
        var best = rows
        var fewest = crossings
        for sweep in 0..<8 where fewest > 0 {
            for row in sweep.isMultiple(of: 2) ? Array(rows.indices.dropFirst()) : rows.indices.dropLast().reversed() {
                order(row, by: sweep.isMultiple(of: 2) ? \.above : \.below)
            }
            let count = crossings
            if count < fewest { (best, fewest) = (rows, count) }
        }
        rows = best
    }

    private mutating func order(_ row: Int, by neighbours: KeyPath<Place, [Int]>) {
        let positions = positions
        let old = rows[row]
        let weights = old.map { place -> Double in
            let others = places[place][keyPath: neighbours]
            if others.isEmpty { return Double(positions[place]) }
            return others.reduce(0) { $0 + Double(positions[$1]) } / Double(others.count)
        }
        rows[row] = old.indices.sorted { (weights[$0], $0) < (weights[$1], $1) }.map { old[$0] }
    }

    private var positions: [Int] {
        var result = Array(repeating: 0, count: places.count)
        for row in rows { for (position, place) in row.enumerated() { result[place] = position } }
        return result
    }

    /// How many pairs of arrows cross.
    var crossings: Int {
        let positions = positions
        var count = 0
        for row in rows {
            var ends: [Int] = []
            for place in row {
                let targets = places[place].below.map { positions[$0] }
                for target in targets { count += ends.count { $0 > target } }
                ends += targets
            }
        }
        return count
    }
}
