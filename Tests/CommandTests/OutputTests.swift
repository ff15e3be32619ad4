import API
import Testing

@testable import spile

@Suite struct OutputTests {
    private func table(_ header: String, _ rows: [[String]], flushesEachRow: Bool = false) throws -> [String] {
        let sink = Sink()
        var table = Table(header, flushesEachRow: flushesEachRow) { sink.parts.append($0) }
        for row in rows { try table.add(row) }
        try table.flush()
        return sink.parts
    }

    private final class Sink { var parts: [String] = [] }

    @Test func `columns are padded to the widest cell and one blank, the last too`() throws {
        #expect(try table("A|BB", [["x", "y"], ["long", "z"]]).joined() == "A    BB \nx    y  \nlong z  \n")
    }

    @Test func `an empty list shows its header`() throws {
        #expect(try table("A|B", []).joined() == "A B \n")
    }

    @Test func `colour codes take no room`() throws {
        let red = Palette(isOn: true).red("no")
        #expect(try table("A|B", [[red, "x"]]).joined() == "A  B \n\(red) x \n")
    }

    @Test func `there is one header, however long the list`() throws {
        let text = try table("NAME|X", (0..<120).map { ["r\($0)", "y"] }).joined()
        let lines = text.split(separator: "\n")
        #expect(lines.count == 121)
        #expect(lines.filter { $0.hasPrefix("NAME") }.count == 1)
    }

    @Test func `a stream shows each row at once`() throws {
        #expect(try table("A|B", [["x", "y"], ["long", "z"]], flushesEachRow: true).count == 2)
    }

    @Test(
        arguments: [
            (0, "0B"), (1023, "1023B"), (1024, "1KiB"), (82524, "80.59KiB"), (1_572_864, "1.5MiB"),
            (1_048_575, "1024KiB"),
            (123_456_789, "117.7MiB"), (1 << 40, "1TiB"), (1060, "1.035KiB"),
        ] as [(Int64, String)])
    func `sizes have four significant digits`(bytes: Int64, text: String) {
        #expect(formatSize(bytes) == text)
    }

    @Test(
        arguments: [
            (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (7200, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"), (13 * 86400, "13 days"), (14 * 86400, "2 weeks"), (60 * 86400, "2 months"),
            (400 * 86400, "13 months"), (731 * 86400, "2 years"),
        ] as [(Int64, String)])
    func `ages are in words`(seconds: Int64, text: String) {
        #expect(formatSpan(seconds: seconds) == text)
    }

    @Test func `a missing time is a dash, a full one is in UTC`() {
        let style = TimeStyle(full: true)
        #expect(style.text(.init(), if: false) == "-")
        #expect(style.text(.with { $0.seconds = 1_709_210_096 }, if: true) == "2024-02-29T12:34:56Z")
        #expect(Instant(seconds: -1).utc == "1969-12-31T23:59:59Z")
    }

    @Test func `durations read as they are written`() {
        #expect(parseDuration("1h30m") == .seconds(5400))
        #expect(parseDuration("300ms") == .milliseconds(300))
        #expect(parseDuration("-1.5h") == .seconds(-5400))
        #expect(parseDuration("0") == .zero)
        for text in ["", "5", "h", "1x"] { #expect(parseDuration(text) == nil) }
    }

    @Test func `raw output has the names of the wire, one field per line`() throws {
        let info = PfsV2_RepoInfo.with {
            $0.repo.name = "r"
            $0.sizeBytesUpperBound = 5
            $0.created.seconds = 0
            $0.created.nanos = 0
        }
        let text = try RawOutput("json").text(info, isFirst: true)
        #expect(
            text == """
                {
                  "repo": {
                    "name": "r"
                  },
                  "created": "1970-01-01T00:00:00Z",
                  "size_bytes_upper_bound": "5"
                }

                """)
    }

    @Test func `raw yaml has sorted keys, and dashes between documents`() throws {
        let raw = try RawOutput("YAML")
        let info = PfsV2_RepoInfo.with {
            $0.repo.name = "r"
            $0.description_p = "true"
        }
        #expect(try raw.text(info, isFirst: true) == "description: \"true\"\nrepo:\n  name: r\n")
        #expect(try raw.text(info, isFirst: false).hasPrefix("---\n"))
    }

    @Test func `an unknown form is refused`() {
        #expect(throws: Failure.self) { try RawOutput("xml") }
    }

    @Test func `json keeps the order of keys and the text of numbers`() throws {
        let text = #"{"b":1e3,"a":[1.50,-0,{"x":null}],"s":"\u00e9\n\"\ud83d\ude00"}"#
        let json = try JSON(parsing: text)
        #expect(json.compact == "{\"b\":1e3,\"a\":[1.50,-0,{\"x\":null}],\"s\":\"é\\n\\\"😀\"}")
        #expect(json["a"]?.elements?.count == 3)
    }

    @Test(arguments: ["{", "[1,]", "{\"a\" 1}", "01", "nul", "\"x", "{} x", "1.", "-"])
    func `what is not json is refused with its line`(text: String) {
        let failure = #expect(throws: Failure.self) { try JSON(parsing: "\n" + text) }
        #expect(failure?.message.hasPrefix("line 2: ") == true)
    }

    @Test func `a header value holds no control characters`() {
        #expect(CallHeaders.commandText(["pachctl", "put", "é\n%"]) == "pachctl put %C3%A9%0A%25")
        #expect(CallHeaders.commandText([String(repeating: "x", count: 5000)]).utf8.count == 1024)
    }

    @Test func `file rows keep a tab between size and name`() {
        #expect(FileRows.row("SIZE", "NAME") == "SIZE   \tNAME\n")
        #expect(FileRows.row("80.59KiB", "/a b") == "80.59KiB\t/a b\n")
    }

    @Test func `a bar shows a failure however small its share`() {
        let palette = Palette(isOn: false)
        #expect(palette.bar(done: 99, waiting: 0, failed: 1).count == 8)
        #expect(Palette(isOn: true).bar(done: 99, waiting: 0, failed: 1).contains("\u{1B}[31m"))
    }
}
