import Core
import GRPCCore
import GRPCProtobuf
import Testing

@testable import Server

/// How much time a caller gave a call, as the header says it.
@Suite struct CallDeadlineTests {
    @Test(arguments: [
        ("1H", 3600), ("2M", 120), ("10S", 10), ("1500m", 1.5), ("250000u", 0.25), ("99999999n", 0.099_999_999),
        ("0S", 0),
    ])
    func `every unit is read`(text: String, seconds: Double) throws {
        let found = try #require(Call.seconds(text))
        #expect(abs(found - seconds) < 1e-12)
    }

    @Test(arguments: ["", "S", "10", "10s", "123456789S", "-1S", "1.5S", " 1S", "1 S"])
    func `anything else is no deadline`(text: String) { #expect(Call.seconds(text) == nil) }
}

/// What programs read of an error beside its text.
@Suite struct ErrorDetailTests {
    @Test func `a detail travels as a message of google rpc, with the text and the code`() throws {
        let detail = SpileError.Detail.resource(type: "t", name: "n", description: "d")
        let error = ErrorMapping.status(SpileError(.unavailable, "not now", remedy: "later", detail: detail))
        #expect(error.code == .unavailable)
        #expect(error.message == "not now (later)")
        let status = try #require(try error.unpackGoogleRPCStatus())
        #expect(status.code == .unavailable)
        #expect(status.message == "not now (later)")
        #expect(status.details == [.resourceInfo(type: "t", name: "n", errorDescription: "d")])
        let wrapped = ErrorMapping.status(SpileError.invalid("x").with(.field("f", description: "d")).wrapped("outer"))
        #expect(wrapped.message == "outer: x")
        let violation = ErrorDetails.BadRequest.FieldViolation(field: "f", description: "d")
        #expect(try wrapped.unpackGoogleRPCStatus()?.details == [.badRequest(violations: [violation])])
    }

    @Test func `a long text goes without, so that the trailers stay small`() throws {
        let long = SpileError.invalid(String(repeating: "x", count: 5000)).with(.field("f", description: "d"))
        let error = ErrorMapping.status(long)
        #expect(error.message.count == 5000)
        #expect(try error.unpackGoogleRPCStatus() == nil)
    }
}
