/// A table of columns padded to the widest cell and one blank more, the last column too (`contract/cli.md` §3.3).
///
/// There is one header, and rows are held back by the block so that columns line up; a stream that must show each row
/// at once (`flushesEachRow`) keeps the widths seen so far.
struct Table {
    /// Rows laid out together.
    static let blockRows = 49

    private let header: [String]
    private let flushesEachRow: Bool
    private let minimum: Int
    private let emit: (String) throws -> Void
    private var rows: [[String]]
    private var widths: [Int]

    /// `emit` gets whole lines. `minimum` is the least width of a cell, the blank included.
    init(
        _ header: [String], flushesEachRow: Bool = false, minimum: Int = 0,
        emit: @escaping (String) throws -> Void = Console.write
    ) {
        self.header = header
        self.flushesEachRow = flushesEachRow
        self.minimum = minimum
        self.emit = emit
        rows = header.isEmpty ? [] : [header]
        widths = header.map { _ in 0 }
    }

    /// The header's words from one text, split at `|`.
    init(_ header: String, flushesEachRow: Bool = false, emit: @escaping (String) throws -> Void = Console.write) {
        self.init(header.split(separator: "|").map(String.init), flushesEachRow: flushesEachRow, emit: emit)
    }

    mutating func add(_ row: [String]) throws {
        rows.append(row)
        if flushesEachRow || rows.count > Self.blockRows { try flush() }
    }

    /// Writes what is held back, the header also where there is no row.
    mutating func flush() throws {
        if rows.isEmpty { return }
        if !flushesEachRow { widths = widths.map { _ in 0 } }
        for row in rows {
            while widths.count < row.count { widths.append(0) }
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], displayWidth(cell)) }
        }
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                let width = max(minimum, widths[column] + 1)
                text += cell + String(repeating: " ", count: max(0, width - displayWidth(cell)))
            }
            text += "\n"
        }
        rows = []
        try emit(text)
    }
}

/// The columns a cell takes on a terminal: characters, colour codes left out.
func displayWidth(_ text: String) -> Int {
    var width = 0
    var inCode = false
    for character in text {
        if inCode {
            inCode = !character.isLetter
        } else if character == "\u{1B}" {
            inCode = true
        } else {
            width += 1
        }
    }
    return width
}
