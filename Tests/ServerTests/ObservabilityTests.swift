import Core
import Foundation
import GRPCCore
import Logging
import Synchronization
import Testing

@testable import Server

@Suite struct MetricsTextTests {
    @Test func aFamilyHasItsHelpTypeAndSamples() {
        var out = MetricsText()
        out.family("a_total", .counter, "What it counts.")
        out.sample("a_total", [("x", "1"), ("y", "2")], 3)
        out.single("b", .gauge, "A level.", 0.25)
        #expect(
            out.text == """
                # HELP a_total What it counts.
                # TYPE a_total counter
                a_total{x="1",y="2"} 3
                # HELP b A level.
                # TYPE b gauge
                b 0.25

                """)
    }

    @Test func whatWouldEndALabelIsEscaped() {
        var out = MetricsText()
        out.sample("a", [("x", "1\"2\\3\n4ü")], 1)
        #expect(out.text == #"a{x="1\"2\\3\n4ü"} 1"# + "\n")
    }

    @Test func aHistogramsRangesAddUp() {
        let histogram = Histogram(bounds: [1000, 2000])
        for figure in [1, 1000, 1001, 5000] { histogram.observe(figure) }
        var out = MetricsText()
        out.histogram("h", [("m", "x")], histogram.reading, unit: 1e-3)
        #expect(
            out.text == """
                h_bucket{m="x",le="1"} 2
                h_bucket{m="x",le="2"} 3
                h_bucket{m="x",le="+Inf"} 4
                h_sum{m="x"} 7.002
                h_count{m="x"} 4

                """)
    }
}

@Suite struct CallMetricsTests {
    private let method = MethodDescriptor(fullyQualifiedService: "a.B", method: "C")

    @Test func aCallIsCountedByTheCodeThatItEndsWith() async throws {
        let calls = CallMetrics()
        let metrics = calls.add(method)
        #expect(calls.called.isEmpty)
        try await metrics.begin().ending {}
        _ = try? await metrics.begin().ending { throw SpileError.notFound("x") }
        _ = try? await metrics.begin().ending { throw RPCError(code: .unimplemented, message: "x") }
        #expect(metrics.handled.map(\.code) == ["OK", "NotFound", "Unimplemented"])
        #expect(metrics.handled.map(\.count) == [1, 1, 1])
        #expect(calls.called.map(\.method) == ["C"])
        #expect(metrics.seconds.reading.count == 3)
    }

    @Test func aStreamIsCountedOnceAndAtItsEnd() async throws {
        let metrics = CallMetrics().add(method)
        let span = metrics.begin()
        try await span.preparing {}
        #expect(metrics.handled.isEmpty)
        try await span.ending {}
        #expect(metrics.handled.map(\.count) == [1])
        _ = try? await metrics.begin().preparing { throw SpileError.invalid("x") }
        #expect(metrics.handled.map(\.code) == ["OK", "InvalidArgument"])
    }
}

@Suite struct JSONLogTests {
    private func lines(_ body: (inout Logger) -> Void) throws -> [[String: Any]] {
        let written = Box()
        var logger = Logger(label: "spile") {
            JSONLogHandler(label: $0, clock: FixedClock()) { line in written.text.withLock { $0 += line } }
        }
        body(&logger)
        return try written.text.withLock { $0 }.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    private final class Box: Sendable { let text = Mutex("") }

    private struct FixedClock: Core.Clock {
        func now() -> Instant { Instant(seconds: 1_700_000_000, nanos: 5) }
    }

    @Test func anEventIsOneObjectOnOneLine() throws {
        let found = try lines { logger in
            logger[metadataKey: "a"] = "1"
            logger.warning("two\nlines \"quoted\"", metadata: ["b": ["c": "d"], "e": ["f", "g"]])
            logger.debug("below the level")
        }
        try #require(found.count == 1)
        #expect(found[0]["time"] as? String == "2023-11-14T22:13:20.000000005Z")
        #expect(found[0]["level"] as? String == "warning")
        #expect(found[0]["label"] as? String == "spile")
        #expect(found[0]["message"] as? String == "two\nlines \"quoted\"")
        let metadata = try #require(found[0]["metadata"] as? [String: Any])
        #expect(metadata["a"] as? String == "1")
        #expect((metadata["b"] as? [String: String]) == ["c": "d"])
        #expect((metadata["e"] as? [String]) == ["f", "g"])
    }

    @Test func withoutMetadataThereIsNoField() throws {
        #expect(try lines { $0.info("x") }[0]["metadata"] == nil)
    }
}

@Suite struct ReadinessTests {
    private func routes(
        _ phase: ServerPhase, fault: SpileError? = nil, refusal: String? = nil
    ) -> HealthRoutes {
        HealthRoutes(
            phase: phase, check: { if let fault { throw fault } }, whyRefused: { refusal },
            executor: IOExecutor(threads: 0))
    }

    @Test func onlyAServerThatServesIsReady() throws {
        let phase = ServerPhase()
        let starting = #expect(throws: SpileError.self) { try routes(phase).readiness() }
        #expect(starting?.message == "the server is starting")
        phase.reached(.serving)
        #expect(try routes(phase).readiness() == "ok\n")
        phase.reached(.stopping)
        phase.reached(.serving)
        let stopping = #expect(throws: SpileError.self) { try routes(phase).readiness() }
        #expect(stopping?.message == "the server is shutting down")
    }

    @Test func aCatalogThatDoesNotAnswerIsTheReason() throws {
        let phase = ServerPhase()
        phase.reached(.serving)
        let error = #expect(throws: SpileError.self) {
            try routes(phase, fault: SpileError(.unavailable, "no catalog")).readiness()
        }
        #expect(error?.message == "no catalog")
    }

    @Test func aRefusedWriteIsToldAndTheServerStaysReady() throws {
        let phase = ServerPhase()
        phase.reached(.serving)
        #expect(
            try routes(phase, refusal: "disk full").readiness() == "ok\nthe newest write was refused: disk full\n")
    }
}
