import Core
import Testing

@Suite struct SpecsReadingTests {
    struct Bad: Sendable, CustomTestStringConvertible {
        var text: String
        /// Fragments of the error, each of which must stand in it.
        var says: [String]
        var testDescription: String { text }
    }

    private static let bad: [Bad] = [
        Bad(
            text: "pipeline: {name: x}\ntransform:\n  cmd: [a, 1]",
            says: ["line 3", "transform.cmd[1]", "expected a string", "\"1\""]),
        Bad(text: "pipelin: {name: x}", says: ["line 1", "unknown field \"pipelin\"", "did you mean pipeline?"]),
        Bad(
            text: "{\"pipeline\": {\"name\": \"x\"},\n\"transform\": {\"imagee\": \"a\"}}",
            says: ["line 2", "transform.imagee", "did you mean image?"]),
        Bad(text: "transform: {env: {PORT: 8080}}", says: ["transform.env.PORT", "expected a string", "\"8080\""]),
        Bad(text: "spout: {marker: m}", says: ["spout.marker", "commit"]),
        Bad(text: "spout: {overwrite: true}", says: ["spout.overwrite", "same path"]),
        Bad(text: "datum_timeout: 10m", says: ["datum_timeout", "\"600s\""]),
        Bad(text: "datum_tries: many", says: ["datum_tries", "whole number"]),
        Bad(text: "datum_tries: 1.5", says: ["datum_tries", "whole number"]),
        Bad(text: "parallelism_spec: {constant: -1}", says: ["parallelism_spec.constant", "from 0 up"]),
        Bad(text: "autoscaling: 'true'", says: ["autoscaling", "true or false"]),
        Bad(text: "tolerations: [{operator: MAYBE}]", says: ["tolerations[0].operator", "EMPTY, EXISTS, EQUAL"]),
        Bad(text: "outputBranch: a\noutput_branch: b", says: ["line 2", "duplicate field"]),
        Bad(text: "description: a\ndescription: b", says: ["description", "more than once"]),
        Bad(text: "{\"description\": \"a\", \"description\": \"b\"}", says: ["duplicate field"]),
        Bad(text: "transform: [a]", says: ["transform", "expected an object, found a list"]),
        Bad(text: "egress: {url: s3://b}", says: ["egress.url", "did you mean URL?"]),
        Bad(
            text: "egress: {object_storage: {url: a}, sql_database: {url: b}}",
            says: ["cannot stand beside object_storage"]),
        Bad(text: "a: &x 1\nb: *x", says: ["line 1", "alias nodes not supported"]),
        Bad(text: "datum_tries: 0x10", says: ["line 1", "0x10 is not a plain decimal integer"]),
        Bad(text: "datum_tries: 1_000", says: ["not a plain decimal integer"]),
        Bad(text: "{\"pipeline\": {\"name\": \"x\",}}", says: ["pipeline"]),
        Bad(text: "{\"a\": tru}", says: ["unknown field"]),
        Bad(text: "transform:\n  cmd: [a\n", says: ["malformed pipeline spec: line 3"]),
        Bad(
            text: "input: {pfs: {repo: r, glob: /, trigger: {commit: 1}}}",
            says: ["input.pfs.trigger.commit", "did you mean commits?"]),
        Bad(
            text: "input: {cron: {name: c, spec: '@daily', start: yesterday}}", says: ["input.cron.start", "RFC 3339"]),
    ]

    @Test("a faulty spec is refused with line, field and remedy", arguments: bad)
    func refusesFaults(_ bad: Bad) throws {
        let error = try #require(throws: SpileError.self) {
            // One text is fine as YAML but not as a spec; all must fail.
            if try SpecDocument.read(bad.text).name != nil { throw SpileError.invalid("pipeline") }
        }
        #expect(error.code == .invalidArgument)
        for fragment in bad.says { #expect("\(error)".contains(fragment), "\(error)") }
    }

    @Test func allFaultsOfASpecAreToldAtOnce() throws {
        let error = try #require(throws: SpileError.self) { try SpecDocument.read("update: 1\nsalt: 2\nspout: 3") }
        for field in ["update", "salt", "spout"] { #expect("\(error)".contains(field)) }
    }

    @Test func jsonAndYamlGiveTheSameCanonicalForm() throws {
        let yaml = """
            # a spout
            pipeline: {name: ticks, project: {name: live}}
            transform:
              cmd: [sh, -c, "echo 'é'"]
              env: {A: "1"}
              accept_return_code: [0, "3"]
            tolerations: [{operator: 1, key: k}]
            datum_timeout: 600s
            description:
            spout: {}
            """
        let json = """
            {"pipeline": {"name": "ticks", "project": {"name": "live"}},
             "transform": {"cmd": ["sh", "-c", "echo '\\u00e9'"], "env": {"A": "1"}, "acceptReturnCode": ["0", 3]},
             "tolerations": [{"operator": "EXISTS", "key": "k"}], "datumTimeout": "600s", "description": null,
             "spout": {}}
            """
        let document = try SpecDocument.read(yaml)
        #expect(document == (try SpecDocument.read(json)))
        #expect(
            document.json.text == """
                {"pipeline":{"name":"ticks","project":{"name":"live"}},"transform":{"cmd":["sh","-c","echo 'é'"],\
                "env":{"A":"1"},"acceptReturnCode":[0,3]},"tolerations":[{"operator":"EXISTS","key":"k"}],\
                "datumTimeout":"600s","description":null,"spout":{}}
                """)
        #expect(document.name == "ticks")
        #expect(document.project == "live")
    }

    @Test func surrogatePairsAndTabsOfMachineWrittenJSONAreRead() throws {
        let document = try SpecDocument.read("{\n\t\"description\": \"\\ud83d\\ude00 \\/ \\\"q\\\"\"}")
        #expect(document.json["description"] == .string("😀 / \"q\""))
    }

    @Test func severalDocumentsAndListsGiveSeveralSpecs() throws {
        let specs = try SpecDocument.readAll("pipeline: {name: a}\n---\n- pipeline: {name: b}\n- pipeline: {name: c}\n")
        #expect(specs.map(\.name) == ["a", "b", "c"])
        #expect(
            try SpecDocument.readAll("{\"pipeline\":{\"name\":\"a\"}}\n---\n{\"pipeline\":{\"name\":\"b\"}}").count == 2
        )
        #expect(specs[0].placed(in: "p").project == "p")
    }

    @Test func aSchemaMarkIsDropped() throws {
        #expect(
            try SpecDocument.read("$schema: x\npipeline: {$schema: y, name: a}").json.text
                == "{\"pipeline\":{\"name\":\"a\"}}")
    }

    @Test func mergePatchFollowsItsStandard() throws {
        func value(_ text: String) throws -> JSONValue { try SpecDocument.plainJSON(text) }
        for (base, patch, expected) in [
            ("{\"a\":1,\"b\":{\"c\":1,\"d\":2}}", "{\"b\":{\"c\":null,\"e\":3}}", "{\"a\":1,\"b\":{\"d\":2,\"e\":3}}"),
            ("{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"),
            ("{\"a\":{\"b\":1}}", "{\"a\":null}", "{}"),
            ("{}", "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}"),
            ("{\"a\":\"x\"}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"),
        ] {
            #expect(try value(base).merged(with: value(patch)).text == expected)
        }
    }

    @Test func defaultsAreFilledAndNullDeletesThem() throws {
        let spec = try SpecDocument.read("{pipeline: {name: a}, transform: {cmd: [x]}, datumTries: null}").json
        let effective = SpecDefaults.effective(spec)
        #expect(effective["transform"]?["image"] == .string("ubuntu:20.04"))
        #expect(effective["outputBranch"] == .string("master"))
        #expect(effective["datumTries"] == nil)
    }

    @Test func theSchemaSaysWhatTheWireSays() throws {
        let rows = try #require(WireTable.rows(), "Tests/Wire/wire.tsv is missing")
        let names = [
            "SQLSecret": "pfs_v2.SQLDatabaseEgress.Secret", "FileFormat": "pfs_v2.SQLDatabaseEgress.FileFormat",
        ]
        for (message, fields) in SpecSchema.pipelines.messages {
            let full = [names[message] ?? "pps_v2.\(message)", "pfs_v2.\(message)"].first { name in
                rows.contains { $0.count > 2 && $0[0] == "field" && $0[1] == name }
            }
            let wire = rows.filter { $0.count > 5 && $0[0] == "field" && $0[1] == full }
            #expect(Set(wire.map { $0[2] }) == Set(fields.map(\.name)), "\(message)")
            for field in fields {
                let row = try #require(wire.first { $0[2] == field.name })
                let shape = ["optional": SpecSchema.Shape.single, "repeated": .list, "map": .map][row[5]]
                #expect(field.shape == shape, "\(message).\(field.name)")
            }
        }
    }

    @Test func timesAreReadAndWrittenWithTheirZone() throws {
        let instant = try #require(SpecTimestamp.parse("2024-02-29T23:59:59.5+01:00"))
        #expect(SpecTimestamp.format(instant) == "2024-02-29T22:59:59.500000000Z")
        #expect(SpecTimestamp.parse(SpecTimestamp.format(Instant(nanoseconds: -1))) == Instant(nanoseconds: -1))
        for bad in ["2024-02-29", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "x"] {
            #expect(SpecTimestamp.parse(bad) == nil)
        }
    }

    @Test(arguments: ["* * * * *", "*/5 0-6 1,15 jan-mar mon", "@every 1h30m", "@never"])
    func cronSpecsAreTaken(_ spec: String) { #expect((try? CronSchedule(spec)) != nil) }

    @Test(arguments: ["* * * *", "* * * * * *", "60 * * * *", "@reboot", "@every x", "5-1 * * * *", ""])
    func badCronSpecsAreRefused(_ spec: String) { #expect((try? CronSchedule(spec)) == nil) }
}
