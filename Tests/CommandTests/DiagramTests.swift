import API
import Testing

@testable import spile

/// `draw pipeline`: what is drawn can be read back, whatever the graph.
@Suite struct DiagramTests {
    private static func diagram(_ boxes: [String], _ arrows: [(from: String, to: String)]) -> Diagram {
        Diagram(boxes.map { Diagram.Box(label: $0, isRound: false) }, arrows: arrows)
    }

    @Test func aChainIsAStraightLine() {
        let diagram = Diagram(
            [.init(label: "images", isRound: true), .init(label: "edges", isRound: false)],
            arrows: [("images", "edges")])
        #expect(
            diagram.text(Diagram.Style(boxWidth: 11, edgeHeight: 3)) == """
                .-----------.
                |  images   |
                '-----------'
                      |
                      |
                      v
                +-----------+
                |   edges   |
                +-----------+

                """)
    }

    @Test func aForkAndAJoin() {
        let diagram = Self.diagram(["a", "b", "c", "d"], [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
        #expect(
            diagram.text(Diagram.Style(boxWidth: 5, edgeHeight: 3)) == """
                     +-----+
                     |  a  |
                     +-----+
                        |
                   +----+----+
                   v         v
                +-----+   +-----+
                |  b  |   |  c  |
                +-----+   +-----+
                   |         |
                   +--+   +--+
                      v   v
                   +---------+
                   |    d    |
                   +---------+

                """)
    }

    @Test func linesThatCrossGoOnStraight() {
        let diagram = Self.diagram(["a", "b", "x", "y"], [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")])
        #expect(
            diagram.text(Diagram.Style(boxWidth: 5, edgeHeight: 3)) == """
                    +-----+   +-----+
                    |  a  |   |  b  |
                    +-----+   +-----+
                       |         |
                   +---+--------+|
                   |  +---------|+---+
                   v  v         v    v
                +---------+   +---------+
                |    x    |   |    y    |
                +---------+   +---------+

                """)
    }

    /// In rows, as few lines as can be cross: here none has to.
    @Test func rowsAreOrderedSoThatNothingCrosses() {
        let diagram = Self.diagram(["a", "b", "c", "x", "y", "z"], [("a", "z"), ("b", "y"), ("c", "x")])
        var rows = DiagramRows(diagram)
        #expect(rows.crossings == 3)
        rows.reduceCrossings()
        #expect(rows.crossings == 0)
    }

    @Test func pipelinesAreDrawnWithWhatTheyRead() {
        let join = PpsV2_Input.with {
            $0.join = [
                .with { $0.pfs.repo = "images" }, .with { $0.pfs.repo = "tap" },
                .with {
                    $0.pfs.repo = "labels"
                    $0.pfs.project = "lab"
                },
                .with { $0.cross = [.with { $0.cron.name = "tick" }] },
            ]
        }
        let pipelines = [("edges", join), ("tap", PpsV2_Input())].map { name, input in
            PpsV2_PipelineInfo.with {
                $0.pipeline.name = name
                $0.pipeline.project.name = "default"
                $0.details.input = input
            }
        }
        let diagram = Diagram(pipelines, of: "default")
        #expect(diagram.boxes.map(\.label) == ["edges", "edges_tick", "images", "lab/labels", "tap"])
        #expect(diagram.boxes.map(\.isRound) == [false, true, true, true, false])
        #expect(diagram.arrows.map(\.from) == [1, 2, 3, 4])
        #expect(diagram.arrows.allSatisfy { $0.to == 0 })
    }

    @Test func aLongNameTakesSeveralLines() {
        #expect(DiagramRouting.lines(of: "edges", width: 5) == ["edges"])
        #expect(DiagramRouting.lines(of: "clean-raw_data", width: 6) == ["clean-", "raw_", "data"])
        #expect(DiagramRouting.lines(of: "abcdefghij", width: 4) == ["abcd", "efgh", "ij"])
    }

    @Test func nothingIsDrawnOfNothing() {
        #expect(Diagram([], arrows: []).text() == "")
    }

    @Test func theOrderInWhichThingsAreToldDoesNotMatter() {
        let arrows: [(from: String, to: String)] = [
            ("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("x", "z"), ("a", "z"),
        ]
        let boxes = ["a", "b", "c", "x", "y", "z"]
        let text = Self.diagram(boxes, arrows).text()
        #expect(Self.diagram(boxes.reversed(), arrows.reversed() + arrows).text() == text)
    }

    @Test func whatGoesRoundInACircleIsDrawnAllTheSame() {
        let text = Self.diagram(["a", "b", "c"], [("a", "b"), ("b", "c"), ("c", "a")]).text()
        #expect(Reading(text).boxes == ["a", "b", "c"])
    }

    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func everyArrowCanBeFollowedAndNoOther(seed: UInt64) {
        var state = seed &* 7_919
        func pick(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let count = 2 + pick(14)
        let names = (0..<count).map { "n\($0)" }
        let density = 1 + pick(5)
        var arrows: [(from: String, to: String)] = []
        for to in 1..<count {
            for from in 0..<to where pick(count) < density { arrows.append((names[from], names[to])) }
        }
        let style = Diagram.Style(boxWidth: 3 + pick(12), edgeHeight: 1 + pick(6))
        let text = Self.diagram(names, arrows).text(style)
        let reading = Reading(text)
        #expect(reading.boxes == names.sorted(), "\(seed)\n\(text)")
        let drawn = Set(names.flatMap { from in reading.targets(of: from).map { "\(from) \($0)" } })
        #expect(drawn == Set(arrows.map { "\($0.from) \($0.to)" }), "\(seed)\n\(text)")
    }
}

/// What a reader makes of a drawing: goes down from a box, along the lines, to the boxes that they lead to.
private struct Reading {
    private let rows: [[Character]]
    /// The rows and columns of each box's frame, by label.
    private var frames: [String: (rows: ClosedRange<Int>, columns: ClosedRange<Int>)] = [:]

    init(_ text: String) {
        rows = text.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
        for row in rows.indices {
            for column in rows[row].indices where rows[row][column] == "+" && at(row + 1, column) == "|" {
                guard let frame = frame(row, column) else { continue }
                frames[frame.label] = (frame.rows, frame.columns)
            }
        }
    }

    var boxes: [String] { frames.keys.sorted() }

    private func at(_ row: Int, _ column: Int) -> Character {
        rows.indices.contains(row) && rows[row].indices.contains(column) ? rows[row][column] : " "
    }

    /// A frame whose upper left corner is here: closed all around, and with a label and nothing else in it.
    private func frame(_ top: Int, _ left: Int) -> (rows: ClosedRange<Int>, columns: ClosedRange<Int>, label: String)? {
        var right = left + 1
        while "-".contains(at(top, right)) { right += 1 }
        guard right > left + 1, at(top, right) == "+" else { return nil }
        var bottom = top + 1
        while at(bottom, left) == "|" && at(bottom, right) == "|" { bottom += 1 }
        guard bottom > top + 1, at(bottom, left) == "+", at(bottom, right) == "+",
            ((left + 1)..<right).allSatisfy({ at(bottom, $0) == "-" })
        else { return nil }
        let inside = ((top + 1)..<bottom).map { row in String(((left + 1)..<right).map { at(row, $0) }) }.joined()
        guard !inside.contains(where: { "|+-v".contains($0) }) else { return nil }
        return (top...bottom, left...right, inside.filter { $0 != " " })
    }

    func targets(of label: String) -> [String] {
        guard let frame = frames[label] else { return [] }
        return frame.columns.flatMap { down(frame.rows.upperBound + 1, $0) }
    }

    private func down(_ row: Int, _ column: Int) -> [String] {
        switch at(row, column) {
        case "|": return down(row + 1, column)
        case "v":
            return frames.filter { $0.value.rows.lowerBound == row + 1 && $0.value.columns.contains(column) }.map(\.key)
        case "+": return down(row + 1, column) + along(row, column, -1) + along(row, column, 1)
        default: return []
        }
    }

    private func along(_ row: Int, _ start: Int, _ step: Int) -> [String] {
        var column = start + step
        var found: [String] = []
        while "-|+".contains(at(row, column)) {
            let character = at(row, column)
            // A line that comes from above and goes on below is crossed; one that ends at the side of a corner is not.
            if character == "|" && !"-+|".contains(at(row, column + step)) { break }
            if character == "+" { found += down(row + 1, column) }
            column += step
        }
        return found
    }
}
