import Testing

@testable import spile

@Suite struct WriteFlagsTests {
    private func values(_ flags: WriteFlags, _ name: String) throws -> [String] {
        Array(try flags.headers()[stringValues: name])
    }

    @Test func `metadata is sent so that a header can hold it`() throws {
        let flags = WriteFlags(metadata: ["offset=7", "topic/a b=x,y=ü%\n", "empty="])
        #expect(
            try values(flags, "spile-commit-metadata")
                == ["offset=7", "topic/a%20b=x%2Cy%3D%C3%BC%25%0A", "empty="])
        #expect(try WriteFlags().headers().isEmpty)
    }

    @Test func `a key and a head are sent as they are`() throws {
        let id = "0123456789ab40008000000000000000"
        let flags = WriteFlags(idempotencyKey: "a b/7", expectedHead: id)
        #expect(try values(flags, "spile-idempotency-key") == ["a b/7"])
        #expect(try values(flags, "spile-expected-head") == [id])
        #expect(try values(WriteFlags(expectedHead: ""), "spile-expected-head") == ["none"])
    }

    @Test(arguments: [
        WriteFlags(metadata: ["offset"]), WriteFlags(metadata: ["a=" + String(repeating: "x", count: 13_000)]),
        WriteFlags(metadata: ["=7"]), WriteFlags(idempotencyKey: ""),
        WriteFlags(idempotencyKey: "ü"), WriteFlags(idempotencyKey: String(repeating: "k", count: 257)),
        WriteFlags(expectedHead: "master"),
    ])
    func `what the server would refuse is refused at once`(flags: WriteFlags) {
        #expect(throws: Failure.self) { try flags.headers() }
    }

    @Test func `a position is one line a key`() {
        #expect(PositionCommand.line("a\nb\\c\r=ü") == "a\\nb\\\\c\\r=ü")
    }
}
