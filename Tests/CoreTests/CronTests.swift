import Core
import Testing

@Suite struct CronTests {
    private func next(_ spec: String, after text: String) throws -> String? {
        let instant = try #require(SpecTimestamp.parse(text))
        return try CronSchedule(spec).next(after: instant).map { String(SpecTimestamp.format($0).prefix(19)) }
    }

    @Test(arguments: [
        ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00"),
        ("* * * * *", "2026-01-01T00:00:59.9Z", "2026-01-01T00:01:00"),
        ("*/15 * * * *", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00"),
        ("0 * * * *", "2026-12-31T23:30:00Z", "2027-01-01T00:00:00"),
        ("30 4 1,15 * *", "2026-02-02T00:00:00Z", "2026-02-15T04:30:00"),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00"),
        ("0 12 * * mon", "2026-11-25T00:00:00Z", "2026-11-30T12:00:00"),
        ("0 12 * * 7", "2026-11-25T00:00:00Z", "2026-11-29T12:00:00"),
        ("0 0 13 * fri", "2026-11-25T00:00:00Z", "2026-11-27T00:00:00"),
        ("0 0 */2 * 1", "2026-11-25T00:00:00Z", "2026-12-07T00:00:00"),
        ("0 9-17/4 * jan-mar *", "2026-01-01T10:00:00Z", "2026-01-01T13:00:00"),
        ("5/20 * * * *", "2026-01-01T00:30:00Z", "2026-01-01T00:45:00"),
        ("@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00"),
        ("@daily", "2026-01-01T00:00:01Z", "2026-01-02T00:00:00"),
        ("@weekly", "2026-11-25T00:00:00Z", "2026-11-29T00:00:00"),
        ("@yearly", "2026-11-25T00:00:00Z", "2027-01-01T00:00:00"),
        ("@every 90s", "2026-01-01T00:00:00.5Z", "2026-01-01T00:01:30"),
        ("@every 10ms", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01"),
        ("0 0 * * *", "1969-12-31T12:00:00Z", "1970-01-01T00:00:00"),
    ])
    func aScheduleIsDueNext(spec: String, after: String, expected: String) throws {
        #expect(try next(spec, after: after) == expected)
    }

    @Test(arguments: ["@never", "0 0 30 2 *"])
    func someSchedulesAreNeverDue(spec: String) throws {
        #expect(try next(spec, after: "2026-01-01T00:00:00Z") == nil)
    }

    @Test func whatIsWrongWithAScheduleIsNamed() {
        let error = #expect(throws: SpileError.self) { try CronSchedule("0 25 * * *") }
        #expect(error?.message.contains("\"25\" is no hour") == true)
        #expect(error?.code == .invalidArgument)
    }

    @Test(
        arguments: [
            ("0", 0), ("100", 100), ("1k", 1000), ("1.5KB", 1500), ("2 MB", 2_000_000), ("1g", 1_000_000_000),
        ] as [(String, Int64)])
    func amountsAreDecimal(text: String, bytes: Int64) { #expect(ByteCount.parse(text) == bytes) }

    @Test(arguments: ["", "k", "1x", "-1", "1 0", "99999999999p"])
    func otherAmountsAreNone(text: String) { #expect(ByteCount.parse(text) == nil) }

    @Test func durationsAddUp() {
        #expect(ShortDuration.seconds("1h30m") == 5400)
        #expect(ShortDuration.seconds("1.5s") == 1.5)
        #expect(ShortDuration.seconds("250ms") == 0.25)
        for bad in ["", "1", "h", "1x", "1h3"] { #expect(ShortDuration.seconds(bad) == nil, "\(bad)") }
    }
}
