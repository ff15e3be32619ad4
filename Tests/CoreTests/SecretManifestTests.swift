import Core
import Testing

@Suite struct SecretManifestTests {
    private func read(_ text: String) throws -> SecretManifest { try SecretManifest.read(Array(text.utf8)) }

    @Test(arguments: [
        #"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s","labels":null},"data":{"a":"aGk=","b":""}}"#,
        "kind: Secret\nmetadata: {name: s}\ntype: ''\ndata: {a: aGk=, b: }\n",
        "metadata: {name: s, labels: {suite: pachyderm}}\ndata: {a: bm8=}\nstringData: {a: hi, b: ''}\n",
    ])
    func jsonAndYAMLGiveTheSameSecret(_ text: String) throws {
        let manifest = try read(text)
        #expect(manifest.name == "s" && manifest.type == "Opaque")
        #expect(manifest.values == ["a": Array("hi".utf8), "b": []])
    }

    @Test func theTypeIsKept() throws {
        #expect(try read("metadata: {name: s}\ntype: kubernetes.io/tls").type == "kubernetes.io/tls")
    }

    @Test(arguments: [
        ("{ not json", "failed to unmarshal secret: line 1 is neither JSON nor YAML"),
        ("- a", "failed to unmarshal secret: the manifest is no object"),
        ("a: 1\n---\nb: 2", "failed to unmarshal secret: the manifest is not one document"),
        ("kind: ConfigMap\nmetadata: {name: s}", "failed to unmarshal secret: its kind is not Secret"),
        ("metadata: {name: s}\ndata: {a: hunter2!}", "failed to unmarshal secret: data.a is not base64"),
        ("metadata: {name: s}\ndata: {a: 12}", "failed to unmarshal secret: data.a is not text"),
        ("metadata: {name: s}\nstringData: hunter2", "failed to unmarshal secret: stringData is no object"),
        ("metadata: {name: s}\ndata: {../a: aGk=}", "a key of data is not a file name"),
        ("metadata: {name: s}\ndata: {..: aGk=}", "a key of data is not a file name"),
        ("metadata: {name: S_1}", "is not the name of a secret"),
        ("data: {a: aGk=}", "is not the name of a secret"),
        ("metadata: {name: s, labels: {suite: other}}", "invalid suite label set on secret"),
    ])
    func faultyOnesAreRefusedWithoutQuotingAValue(_ text: String, _ fragment: String) throws {
        let error = try #require(throws: SpileError.self) { try read(text) }
        #expect(error.code == .unknown && error.message.contains(fragment), "\(error)")
        #expect(!error.description.contains("hunter2"))
    }

    @Test func brokenTextIsNotQuotedEither() throws {
        for text in ["{\"data\": {\"a\": \"hunter2", "data:\n  a: 'hunter2\n", "data: {a: &x hunter2}"] {
            let error = try #require(throws: SpileError.self) { try read(text) }
            #expect(!error.description.contains("hunter2"), "\(error)")
        }
    }

    @Test func tooMuchIsRefused() throws {
        let text = "metadata: {name: s}\nstringData: {a: \(String(repeating: "x", count: SecretManifest.mostBytes))}"
        let error = try #require(throws: SpileError.self) { try read(text) }
        #expect(error.message.contains("more than 1048576"))
    }
}

@Suite struct DefaultsDocumentTests {
    @Test(arguments: ["{}", #"{"createPipelineRequest": null}"#, #"{"$schema": "x"}"#])
    func nothingIsAnEmptyRequest(_ text: String) throws {
        #expect(try DefaultsDocument.read(text, of: .cluster).request == .object([]))
    }

    @Test func bothSpellingsAreRead() throws {
        for text in [
            #"{"create_pipeline_request": {"datum_tries": 7, "salt": null}}"#,
            #"{"createPipelineRequest": {"datumTries": "7", "salt": null}}"#,
        ] {
            let request = try DefaultsDocument.read(text, of: .project).request
            #expect(request.text == #"{"datumTries":7,"salt":null}"#)
        }
    }

    @Test(arguments: [
        ("", "the text ends"), ("[]", "expected an object, found a list"),
        (#"{"nope": 1}"#, #"unexpected field "nope" in pps_v2.ClusterDefaults"#),
        (#"{"createPipelineRequest": {"nope": 1}}"#, #"unknown field "nope""#),
        (#"{"createPipelineRequest": {}, "create_pipeline_request": {}}"#, "given more than once"),
        (#"{"createPipelineRequest": {"datumTries": "x"}}"#, "expected a whole number"),
    ])
    func faultsNameTheRequestsField(_ text: String, _ fragment: String) throws {
        let error = try #require(throws: SpileError.self) { try DefaultsDocument.read(text, of: .cluster) }
        #expect(error.code == .invalidArgument && error.message.contains("invalid cluster defaults JSON"))
        #expect(error.description.contains(fragment), "\(error)")
        #expect(error.detail == .field("cluster_defaults_json", description: error.message))
    }

    @Test func theOrderOfMembersSaysNothing() throws {
        let a = try SpecDocument.plainJSON(#"{"a": {"b": 1, "c": [1, 2]}, "d": null}"#)
        let b = try SpecDocument.plainJSON(#"{"d": null, "a": {"c": [1, 2], "b": 1}}"#)
        #expect(a.says(sameAs: b))
        for text in [#"{"a": {"b": 1, "c": [2, 1]}, "d": null}"#, #"{"a": {"b": 1, "c": [1, 2]}}"#, "1"] {
            #expect(!a.says(sameAs: try SpecDocument.plainJSON(text)))
        }
    }
}
