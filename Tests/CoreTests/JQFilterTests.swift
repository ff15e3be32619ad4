import Core
import Testing

@Suite struct JQFilterTests {
    private static let message = """
        {"state": "PIPELINE_RUNNING", "version": "3", "stopped": true, "parallelism": 2,
         "pipeline": {"name": "tap-1", "project": {"name": "default"}}, "list": [1, 2]}
        """

    private func keeps(_ filter: String) throws -> Bool {
        try JQFilter(filter).keeps(try SpecDocument.plainJSON(Self.message))
    }

    @Test(arguments: [
        #".state == "PIPELINE_RUNNING""#, #".state == "PIPELINE_PAUSED" or .state == "PIPELINE_RUNNING""#,
        #".pipeline.name == "tap-1" and .pipeline.project.name != "other""#, #".["state"] == .state"#,
        #"."pipeline"["name"] | startswith("tap")"#, #".pipeline | .name | endswith("-1")"#,
        #"select(.stopped)"#, #".stopped | not | not"#, #"(.none == null) and (.none.below == null)"#,
        #".parallelism >= 2 and .parallelism < 2.5 and .parallelism == 2.0"#, #".version > "2""#, ".",
        #".list | length == 2"#, #".pipeline.name | test("^tap-")"#, #".reason < .state"#,
        #".pipeline.name|contains("ap") or false"#, #"-1 < 0"#,
    ])
    func itKeeps(_ filter: String) throws {
        #expect(try keeps(filter))
    }

    @Test(arguments: [
        #".state == "PIPELINE_PAUSED""#, ".none", "null", "false", #"select(.state == "x")"#, ".stopped | not",
        #".parallelism > 2"#, #".stopped and .none"#, #"select(false) or true"#,
    ])
    func itDrops(_ filter: String) throws {
        #expect(try !keeps(filter))
    }

    @Test(arguments: [
        ("", SpileError.Code.unknown), (".state ==", .unknown), ("(.a", .unknown), (#".a == "x"#, .unknown),
        (".a. ", .unknown), ("select", .unknown), (#".["a""#, .unknown), ("1.2.3", .unknown),
        (".list[]", .unimplemented), ("reduce .[] as $x (0; 1)", .unimplemented), (".a + 1", .unimplemented),
        ("map(.a)", .unimplemented), ("$x", .unimplemented), (".a // 1", .unimplemented),
    ])
    func whatIsNotUnderstoodIsSaid(_ filter: String, _ code: SpileError.Code) throws {
        let error = try #require(throws: SpileError.self) { _ = try JQFilter(filter) }
        #expect(error.code == code && error.message.hasPrefix("error parsing jq filter: "), "\(error)")
    }

    @Test(arguments: [
        "." + String(repeating: "a.", count: 2_000) + "a", String(repeating: ".a or ", count: 1_000) + ".a",
        String(repeating: "(", count: 500) + "." + String(repeating: ")", count: 500),
        String(repeating: " ", count: 20_000) + ".",
    ])
    func aFilterHasABound(_ filter: String) throws {
        let error = try #require(throws: SpileError.self) { _ = try JQFilter(filter) }
        #expect(error.message.contains("more than") || error.message.contains("longer than"))
    }

    @Test(arguments: ["(a*)*b", "a|b", "[0-9]+", "a.c"])
    func aPatternBeyondPlainTextIsSaid(_ pattern: String) throws {
        let error = try #require(throws: SpileError.self) { try keeps(".state | test(\"\(pattern)\")") }
        #expect(error.code == .unimplemented && error.message.contains("plain text"))
    }

    @Test(arguments: [".state.a", ".stopped | length", ".list < .list", #".stopped | test("a")"#])
    func whatCannotBeWorkedOutIsAnError(_ filter: String) throws {
        let error = try #require(throws: SpileError.self) { try keeps(filter) }
        #expect(error.code == .unknown && error.message.hasPrefix("error running jq filter: "))
    }

    @Test func endlessNestingIsRefused() throws {
        let filter = String(repeating: "(", count: 100_000)
        #expect(throws: SpileError.self) { _ = try JQFilter(filter) }
    }
}
