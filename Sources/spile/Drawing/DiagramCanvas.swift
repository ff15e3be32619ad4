/// Characters on a grid that grows as it is written to.
struct DiagramCanvas {
    private var rows: [[Character]] = []

    mutating func write(_ text: String, _ column: Int, _ row: Int) {
        while rows.count <= row { rows.append([]) }
        let missing = column + text.count - rows[row].count
        if missing > 0 { rows[row] += Array(repeating: " ", count: missing) }
        for (offset, character) in text.enumerated() { rows[row][column + offset] = character }
    }

    mutating func vertical(_ column: Int, _ lines: Range<Int>) {
        for row in lines { write("|", column, row) }
    }

    mutating func horizontal(_ columns: ClosedRange<Int>, _ row: Int) {
        write(String(repeating: "-", count: columns.count), columns.lowerBound, row)
    }

    var text: String {
        rows.map { row in
            var row = row
            while row.last == " " { row.removeLast() }
            return String(row) + "\n"
        }.joined()
    }
}
