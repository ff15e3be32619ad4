import Testing

@testable import spile

@Suite struct SpecTests {
    private func check(_ text: String) throws {
        for spec in try SpecReader.read(text, source: "s.yaml") { try SpecCheck.check(spec) }
    }

    private func refusal(_ text: String) -> String {
        let failure = #expect(throws: Failure.self) { try check(text) }
        return failure?.message ?? ""
    }

    @Test func `several documents and lists of specs are read in order`() throws {
        let specs = try SpecReader.read(
            """
            # a comment
            pipeline: {name: a}
            ---
            - pipeline: {name: b}
            - {"pipeline": {"name": "c"}}
            """, source: "s")
        #expect(specs.map { $0.json["pipeline"]?["name"]?.text } == ["a", "b", "c"])
    }

    @Test func `json is read too, and numbers keep their text`() throws {
        let spec = try SpecReader.read(
            #"{"pipeline": {"name": "a"}, "resource_requests": {"cpu": 0.50}, "description": "1e3"}"#, source: "s")[0]
        #expect(spec.json.compact.contains(#""cpu":0.50"#))
        #expect(spec.json["description"]?.text == "1e3")
    }

    @Test func `scalars have the types of the contract`() throws {
        let spec = try SpecReader.read(
            "a: True\nb: ~\nc: .5\nd: yes\ne: '5'\nf: -3\n$schema: x\ng: 1.12.3", source: "s")[0]
        #expect(spec.json.compact == #"{"a":true,"b":null,"c":0.5,"d":"yes","e":"5","f":-3,"g":"1.12.3"}"#)
    }

    @Test(arguments: ["0x10", "0o7", "1_000", "+5", "007", "-0"])
    func `integers must be plain decimal`(text: String) {
        #expect(refusal("pipeline: {name: a}\ndatum_tries: \(text)").hasPrefix("s.yaml:2: datum_tries: \"\(text)\""))
    }

    @Test func `aliases are refused`() {
        #expect(
            refusal("pipeline: &p {name: a}\ndescription: x\nspout: {service: *p}").contains(
                "alias nodes not supported"))
    }

    @Test func `an unknown field is named with its line, its path and a better word`() {
        #expect(
            refusal("pipeline:\n  name: a\ntransform:\n  imagee: x")
                == "s.yaml:4: transform.imagee: unknown field \"imagee\": did you mean \"image\"?")
    }

    @Test func `an unknown field with content below is named itself`() {
        #expect(
            refusal("pipeline: {name: a}\ninputs:\n  pfs: {repo: r}")
                == "s.yaml:2: inputs: unknown field \"inputs\": did you mean \"input\"?")
    }

    @Test func `a field known elsewhere is still unknown here`() {
        #expect(
            refusal("pipeline: {name: a}\ntransform: {image: i, glob: x}").hasPrefix(
                "s.yaml:2: transform.glob: unknown"))
    }

    @Test func `fields inside lists have their place`() {
        #expect(
            refusal("pipeline: {name: a}\ninput:\n  cross:\n  - pfs: {repo: a, glob: /}\n  - pfs: {repo: b, blob: /}")
                == "s.yaml:5: input.cross[1].pfs.blob: unknown field \"blob\": did you mean \"glob\"?")
    }

    @Test(arguments: [
        ("transform: {cmd: sh}", "transform.cmd: expected a list, such as [a, b], found the text \"sh\""),
        ("transform: [a]", "transform: expected a mapping of fields, found a list"),
        ("datum_timeout: 60", "datum_timeout: expected a duration, such as \"60s\", found the number 60"),
        ("autoscaling: maybe", "autoscaling: expected true or false, found the text \"maybe\""),
        ("description: [a]", "description: expected a text, found a list"),
        ("datum_tries: x", "datum_tries: expected a number, found the text \"x\""),
        ("transform: {cmd: [{a: 1}]}", "transform.cmd[0]: expected a text, found a mapping"),
    ])
    func `a value of another shape is named with what fits`(line: String, wanted: String) {
        #expect(refusal("pipeline: {name: a}\n" + line) == "s.yaml:2: " + wanted)
    }

    @Test func `fields of older versions come with advice`() {
        #expect(refusal("pipeline: {name: a}\nspout: {marker: m}").contains("metadata of the commits"))
        #expect(refusal("pipeline: {name: a}\nstandby: true").contains("autoscaling: true"))
    }

    @Test func `a pipeline and its name are needed`() {
        #expect(refusal("description: x").contains("no `pipeline` specified"))
        #expect(refusal("pipeline: {project: {name: p}}").contains("no pipeline `name` specified"))
    }

    @Test func `broken yaml is named with its line`() {
        #expect(refusal("pipeline: {name: a}\ninput: [a").hasPrefix("s.yaml:"))
        #expect(refusal("pipeline: {name: a}\npipeline: {name: b}").contains("twice"))
        #expect(refusal("").contains("no pipeline spec"))
    }

    @Test func `both spellings of a field are fine`() throws {
        try check("pipeline: {name: a}\ndatumTimeout: 60s\nparallelism_spec: {constant: 2}\ninput: {pfs: {joinOn: x}}")
    }

    @Test(arguments: [
        ("ubuntu", true), ("ubuntu:latest", true), ("ubuntu:24.04", false), ("reg:5000/x", true),
        ("reg:5000/x:1", false),
        ("x@sha256:abc", false),
    ])
    func `an image without a fixed tag is remarked on`(image: String, isRemarkedOn: Bool) throws {
        let spec = try SpecReader.read("pipeline: {name: a}\ntransform: {image: '\(image)'}", source: "s")[0]
        #expect((SpecCheck.imageWarning(spec) != nil) == isRemarkedOn)
    }

    @Test func `the project is filled in, and the spec is above the flags for itself only`() throws {
        let specs = try SpecReader.read(
            "pipeline: {name: a}\nupdate: true\n---\npipeline: {name: b, project: {name: q}}", source: "s")
        let application = PipelineApplication(
            options: try SpecOptions.parse([]), raw: nil, update: false, reprocess: false)
        let requests = specs.map { application.request($0, project: "p") }
        #expect(requests.map(\.update) == [true, false])
        #expect(
            requests[0].createPipelineRequestJson == #"{"pipeline":{"name":"a","project":{"name":"p"}},"update":true}"#)
        #expect(requests[1].createPipelineRequestJson.contains(#""project":{"name":"q"}"#))
    }

    @Test func `states are read in any spelling`() throws {
        #expect(
            try PpsText.stateFilter(["running", "PIPELINE_FAILURE"], prefix: "PIPELINE_", known: ListPipeline.states)
                == ".state == \"PIPELINE_RUNNING\" or .state == \"PIPELINE_FAILURE\"")
        #expect(throws: Failure.self) {
            try PpsText.stateFilter(["bogus"], prefix: "PIPELINE_", known: ListPipeline.states)
        }
    }
}
