import API
import Testing

@testable import spile

/// What `lineage` prints.
@Suite struct LineageTreeTests {
    private static let (first, second) = (String(repeating: "1", count: 32), String(repeating: "2", count: 32))

    private static func file(
        _ number: UInt64, _ repo: String, _ path: String, project: String = "default",
        _ change: (inout Spile_V1_LineageFile) -> Void = { _ in }
    ) -> Spile_V1_TraceResponse {
        .with {
            $0.node.number = number
            $0.node.file.file.path = path
            $0.node.file.file.commit.id = first
            $0.node.file.file.commit.repo.name = repo
            $0.node.file.file.commit.repo.type = "user"
            $0.node.file.file.commit.repo.project.name = project
            change(&$0.node.file)
        }
    }

    private static func datum(
        _ number: UInt64, _ pipeline: String, _ state: PpsV2_DatumState = .success
    ) -> Spile_V1_TraceResponse {
        .with {
            $0.node.number = number
            $0.node.datum.id = "d\(number)"
            $0.node.datum.job.id = first
            $0.node.datum.job.pipeline.name = pipeline
            $0.node.datum.job.pipeline.project.name = "default"
            $0.node.datum.state = state
        }
    }

    private static func edge(_ upstream: UInt64, _ downstream: UInt64, _ input: String = "") -> Spile_V1_TraceResponse {
        .with {
            $0.edge.upstream = upstream
            $0.edge.downstream = downstream
            $0.edge.input = input
        }
    }

    private static func text(_ responses: [Spile_V1_TraceResponse], isForward: Bool = false) throws -> String {
        var tree = LineageTree(isForward: isForward, project: "default")
        for response in responses { tree.add(response) }
        var lines: [String] = []
        try tree.write { lines.append($0) }
        return lines.joined(separator: "\n")
    }

    @Test func eachNodeStandsBelowTheOneThatItMade() throws {
        let source = Self.file(3, "images", "/a") {
            $0.source.commit.id = Self.second
            $0.source.started.seconds = 1_700_000_000
            $0.source.spout.name = "camera"
            $0.source.spout.project.name = "default"
            $0.source.metadata = ["offset": "7", "feed": "a\nb"]
        }
        let text = try Self.text([
            Self.file(1, "edges", "/"), Self.datum(2, "edges"), Self.edge(2, 1), Self.datum(4, "edges", .recovered),
            Self.edge(4, 1), source, Self.edge(3, 2, "images"), Self.edge(3, 4, "in"),
            Self.file(5, "other", "/p", project: "lab") { $0.problem = "it is gone" }, Self.edge(5, 4, "other"),
        ])
        #expect(
            text == """
                edges@\(Self.first):/
                |-- datum d2 of job edges@\(Self.first)
                |   `-- images@\(Self.first):/a
                |           spout camera, written 2023-11-14T22:13:20Z in commit \(Self.second)
                |           feed=a\\nb
                |           offset=7
                `-- datum d4 of job edges@\(Self.first), recovered
                    |-- in: images@\(Self.first):/a ^
                    `-- lab/other@\(Self.first):/p
                            it is gone
                """)
    }

    @Test func forwardTheOutputsStandBelow() throws {
        let text = try Self.text(
            [
                Self.file(1, "images", "/a") { $0.source.commit.id = Self.first }, Self.datum(2, "edges"),
                Self.edge(1, 2, "in"), Self.file(3, "edges", "/x"), Self.edge(2, 3),
            ], isForward: true)
        #expect(
            text == """
                images@\(Self.first):/a
                |   written -
                `-- datum d2 of job edges@\(Self.first)
                    `-- edges@\(Self.first):/x
                """)
    }
}
