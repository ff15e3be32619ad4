import Testing

@testable import Backends

@Suite struct S3XMLTests {
    private func parse(_ text: String) throws -> S3XML.Element { try S3XML.parse(text.utf8) }

    @Test func `elements, texts and children are read; attributes and prefixes are passed over`() throws {
        let root = try parse(
            """
            \u{FEFF}<?xml version="1.0"?>
            <!-- a > b -->
            <s:List xmlns="u" a='>"'><Key>a/b</Key><Key >c</Key ><Empty/><Empty a="1" /><In><Key>d</Key></In></s:List>

            """)
        #expect(root.name == "List")
        #expect(root.all("Key").map(\.text) == ["a/b", "c"])
        #expect(root["Empty"] == "")
        #expect(root["None"] == nil)
        #expect(root.children.last?["Key"] == "d")
    }

    @Test func `entities, comments and CDATA are parts of a text`() throws {
        let root = try parse("<a>1 &lt;&gt;&amp;&quot;&apos; &#233;&#x1F41F;<!-- 2 --> <![CDATA[<&amp;>]]></a>")
        #expect(root.text == "1 <>&\"' é\u{1F41F} <&amp;>")
    }

    @Test(arguments: [
        "", " ", "<", "<a", "<a>", "<a></b>", "<a></a><b/>", "<a></a>x", "x<a/>", "<a b=\"></a>", "<a>&unknown;</a>",
        "<a>&#xD800;</a>", "<a>&amp</a>", "<a><!-- </a>", "<a><![CDATA[ </a>", "<!DOCTYPE a><a/>", "<a <b/>", "</a>",
    ])
    func `what is malformed is refused`(text: String) {
        #expect(throws: S3XML.Malformed.self) { try parse(text) }
    }

    @Test func `depth is bounded`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        _ = try parse(nested(16))
        #expect(throws: S3XML.Malformed.self) { try parse(nested(17)) }
        #expect(throws: S3XML.Malformed.self) { try parse(nested(100_000)) }
    }

    @Test func `no cut of an answer is taken for the whole`() throws {
        let whole = Array("<?xml version='1.0'?><L a=\"1\"><K>x&amp;y</K><!-- c --><E/></L>".utf8)
        for count in 0..<whole.count {
            #expect(throws: S3XML.Malformed.self) { try S3XML.parse(whole.prefix(count)) }
        }
    }

    @Test func `an escaped text is read as it was`() throws {
        let text = "a<b>&\"c' ü\u{1F41F}"
        #expect(try parse("<t>\(S3XML.escaped(text))</t>").text == text)
    }
}
