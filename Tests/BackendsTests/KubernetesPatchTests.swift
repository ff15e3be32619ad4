import Core
import Testing

@testable import Backends

/// JSON patches (RFC 6902), as `pod_patch` is one.
@Suite struct KubernetesPatchTests {
    private func json(_ text: String) throws -> JSONValue { try SpecDocument.plainJSON(text) }

    private func apply(_ patch: String, to text: String) throws -> String {
        try JSONPatch(json(patch)).apply(to: json(text)).text
    }

    @Test(arguments: [
        ("[{'op':'add','path':'/b','value':1}]", "{'a':0}", "{'a':0,'b':1}"),
        ("[{'op':'add','path':'/a','value':1}]", "{'a':0,'c':2}", "{'a':1,'c':2}"),
        ("[{'op':'add','path':'/a/1','value':9}]", "{'a':[1,2]}", "{'a':[1,9,2]}"),
        ("[{'op':'add','path':'/a/-','value':9}]", "{'a':[1,2]}", "{'a':[1,2,9]}"),
        ("[{'op':'add','path':'/a/2','value':9}]", "{'a':[1,2]}", "{'a':[1,2,9]}"),
        ("[{'op':'add','path':'','value':9}]", "{'a':[1,2]}", "9"),
        ("[{'op':'add','path':'/','value':9}]", "{}", "{'':9}"),
        ("[{'op':'remove','path':'/a/0'}]", "{'a':[1,2]}", "{'a':[2]}"),
        ("[{'op':'remove','path':'/a'}]", "{'a':[1,2],'b':3}", "{'b':3}"),
        ("[{'op':'replace','path':'/a/0/b','value':null}]", "{'a':[{'b':1}]}", "{'a':[{'b':null}]}"),
        ("[{'op':'move','from':'/a/b','path':'/c'}]", "{'a':{'b':1}}", "{'a':{},'c':1}"),
        ("[{'op':'move','from':'/a/0','path':'/a/1'}]", "{'a':[1,2]}", "{'a':[2,1]}"),
        ("[{'op':'move','from':'/a','path':'/a'}]", "{'a':[1]}", "{'a':[1]}"),
        ("[{'op':'copy','from':'/a','path':'/b/0'}]", "{'a':{'x':1},'b':[]}", "{'a':{'x':1},'b':[{'x':1}]}"),
        ("[{'op':'test','path':'/a','value':{'y':2.0,'x':1}}]", "{'a':{'x':1,'y':2}}", "{'a':{'x':1,'y':2}}"),
        (
            "[{'op':'replace','path':'/a~1b/m~0n/~01','value':1}]", "{'a/b':{'m~n':{'~1':0}}}",
            "{'a/b':{'m~n':{'~1':1}}}"
        ),
        ("[]", "{'a':1}", "{'a':1}"),
    ])
    func `an operation changes what it names and nothing else`(patch: String, from: String, to: String) throws {
        func quoted(_ text: String) -> String { String(text.map { $0 == "'" ? "\"" : $0 }) }
        #expect(try apply(quoted(patch), to: quoted(from)) == quoted(to))
    }

    @Test(arguments: [
        ("{}", "a JSON patch is a list of operations"),
        ("[{'op':'add','path':'/a','value':1},{'op':'ad','path':'/a'}]", "operation 2: \"op\" is \"ad\""),
        ("[{'op':'add','path':'/a'}]", "operation 1: it has no \"value\""),
        ("[{'op':'move','path':'/a'}]", "operation 1: it has no \"from\""),
        ("[{'op':'remove'}]", "operation 1: it has no \"path\""),
        ("[{'op':'remove','path':'a'}]", "\"a\" is no JSON pointer"),
        ("[{'op':'remove','path':'/a~2'}]", "\"/a~2\" is no JSON pointer"),
        ("[{'op':'remove','path':'/a~'}]", "\"/a~\" is no JSON pointer"),
        ("[{'op':'remove','path':'/x'}]", "operation 1 (remove /x): there is no \"x\""),
        ("[{'op':'replace','path':'/x/y','value':1}]", "operation 1 (replace /x/y): there is no \"x\""),
        ("[{'op':'add','path':'/x/y','value':1}]", "there is no \"x\""),
        ("[{'op':'add','path':'/n/y','value':1}]", "there is neither an object nor a list to add to"),
        ("[{'op':'add','path':'/l/3','value':1}]", "the list has no place 3"),
        ("[{'op':'replace','path':'/l/2','value':1}]", "the list has no place 2"),
        ("[{'op':'remove','path':'/l/-'}]", "\"-\" is no place in a list"),
        ("[{'op':'remove','path':'/l/01'}]", "\"01\" is no place in a list"),
        ("[{'op':'move','from':'/o','path':'/o/p'}]", "/o cannot be moved into itself"),
        ("[{'op':'test','path':'/n','value':2}]", "operation 1 (test /n): there is 1 instead"),
    ])
    func `what cannot be is refused, and the operation is named`(patch: String, text: String) throws {
        let error = try #require(throws: SpileError.self) {
            try apply(String(patch.map { $0 == "'" ? "\"" : $0 }), to: #"{"n":1,"l":[1,2],"o":{"p":1}}"#)
        }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains(text), "\(error.message)")
    }

    @Test func `a patch that fails on the way leaves nothing done`() throws {
        let before = try json(#"{"a":1}"#)
        let patch = try JSONPatch(json(#"[{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}]"#))
        #expect(throws: SpileError.self) { try patch.apply(to: before) }
        #expect(before.text == #"{"a":1}"#)
    }

    @Test func `copies cannot grow without bound`() throws {
        let copy = #"{"op":"copy","from":"","path":"/a/-"}"#
        let text = "[" + Array(repeating: copy, count: 40).joined(separator: ",") + "]"
        let error = try #require(throws: SpileError.self) { try apply(text, to: #"{"a":[]}"#) }
        #expect(error.message.contains("the patch copies more than \(JSONPatch.mostCopied) values"))
        let long = JSONValue.array(
            Array(repeating: ["op": "remove", "path": "/a"], count: JSONPatch.mostOperations + 1))
        #expect(throws: SpileError.self) { try JSONPatch(long) }
    }
}
