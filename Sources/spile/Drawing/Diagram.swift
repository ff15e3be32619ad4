/// Boxes and the arrows between them, to be drawn from top to bottom.
struct Diagram: Equatable {
    struct Box: Equatable {
        var label: String
        /// Drawn with round corners.
        var isRound: Bool
    }

    /// In the order in which they stand side by side where nothing else decides.
    private(set) var boxes: [Box] = []
    private(set) var arrows: [Arrow] = []
    private var indexes: [String: Int] = [:]

    struct Arrow: Hashable {
        /// Indexes of ``Diagram/boxes``.
        var from: Int
        var to: Int
    }

    /// `boxes` by label, `arrows` between labels of them; a label and an arrow that come twice count once.
    init(_ boxes: [Box], arrows: [(from: String, to: String)]) {
        for box in boxes.sorted(by: { $0.label < $1.label }) where indexes[box.label] == nil {
            indexes[box.label] = self.boxes.count
            self.boxes.append(box)
        }
        var known: Set<Arrow> = []
        for (from, to) in arrows {
            guard let from = indexes[from], let to = indexes[to], from != to else { continue }
            let arrow = Arrow(from: from, to: to)
            if known.insert(arrow).inserted { self.arrows.append(arrow) }
        }
        self.arrows.sort { ($0.from, $0.to) < ($1.from, $1.to) }
    }

    struct Style {
        /// Columns of text in a box. Boxes that many arrows lead to are wider.
        var boxWidth = 11
        /// Lines between two rows of boxes. There are more where many arrows have to pass each other.
        var edgeHeight = 5
    }

    /// The drawing: lines without trailing blanks, each with its line end. The same diagram gives the same text.
    ///
    /// `+` on a line is a corner or a fork of the arrow that comes from above; lines that cross without one have
    /// nothing to do with each other.
    func text(_ style: Style = Style()) -> String {
        if boxes.isEmpty { return "" }
        var rows = DiagramRows(self)
        rows.reduceCrossings()
        let placement = DiagramPlacement(rows, of: self, style)
        return DiagramRouting(rows, placement, style).draw(self)
    }
}
