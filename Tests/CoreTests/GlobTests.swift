import Core
import Testing

@Suite struct GlobTests {
    @Test(arguments: [
        ("/*", "/a", true), ("/*", "/dir/", true), ("/*", "/dir/a", false), ("/*", "/", false),
        ("/**", "/a/b/c", true), ("/**", "/", false), ("/", "/", true), ("/", "/a", false),
        ("*.dat", "/file1.dat", true), ("/*1.dat", "/file1.dat", true), ("/*1.dat", "/file2.dat", false),
        ("/dir/", "/dir/", true), ("/dir", "/dir/", true), ("/dir", "/dir2", false),
        ("/?", "/a", true), ("/?", "/ab", false), ("/a?c", "/a/c", false),
        ("/[abc]", "/b", true), ("/[a-c]", "/d", false), ("/[!a]", "/b", true), ("/[^a]", "/a", false),
        ("/[[:digit:]]x", "/7x", true), ("/[[:alpha:]]x", "/7x", false),
        ("/{a,b*}", "/bcd", true), ("/{a,b*}", "/c", false), ("/{a,{b,c}d}", "/cd", true),
        ("/\\*", "/*", true), ("/\\*", "/a", false),
        ("/(a|b)", "/b", true), ("/@(a|b)c", "/bc", true), ("/*(ab)", "/abab", true), ("/*(ab)", "/", false),
        ("/x*(ab)", "/x", true), ("/+(ab)", "/aba", false), ("/x?(ab)", "/xab", true), ("/x?(ab)", "/xabab", false),
        ("/!(foo)", "/bar", true), ("/!(foo)", "/foo", false), ("/!(foo)", "/foobar", true),
        ("/!(foo)*", "/foobar", false), ("/!(foo)x", "/barx", true),
        ("/a/**/z", "/a/b/c/z", true), ("/a/*/z", "/a/b/c/z", false), ("/**.txt", "/a/b.txt", true),
    ])
    func matches(pattern: String, path: String, expected: Bool) throws {
        #expect(try Glob(pattern).matches(path) == expected, "\(pattern) against \(path)")
    }

    @Test func groupsAreNumberedFromTheLeft() throws {
        let captures = try #require(try Glob("/(*)-(*)/@(a|b).txt").captures("/one-two/b.txt"))
        #expect(captures == ["/one-two/b.txt", "one", "two", "b"])
    }

    @Test(arguments: ["/[a", "/(a", "/{a,b", "/^(a)", "/a\\", "/a)", "/[[:nothing:]]"])
    func aMalformedPatternIsRefusedWithItsPlace(pattern: String) {
        let error = #expect(throws: SpileError.self) { try Glob(pattern) }
        #expect(error?.message.contains("invalid glob pattern at character") == true)
    }

    @Test(arguments: [
        ("/a/b*c", "/a/b"), ("/a\\*b*", "/a*b"), ("/plain", "/plain"), ("/{a,b}", "/"), ("/a(b)", "/a"),
    ])
    func theLiteralPrefixEndsBeforeTheFirstSpecialCharacter(pattern: String, prefix: String) throws {
        #expect(try Glob(pattern).literalPrefix == prefix)
    }

    @Test(arguments: [("/*", 1), ("/a/*/b?", 3), ("/{a/b,c}", 2)] as [(String, Int)])
    func theDepthBoundsHowFarAMatchCanBe(pattern: String, depth: Int) throws {
        #expect(try Glob(pattern).depth == depth)
    }

    @Test(arguments: ["/**", "/a/[!b]", "/+(a/b)"])
    func aPatternThatCrossesSeparatorsHasNoDepth(pattern: String) throws {
        #expect(try Glob(pattern).depth == nil)
    }

    @Test(arguments: [
        ("/*a*b*", "/xaybz", true), ("/**/b", "/a/b", true), ("/**b**c", "/a/b/x/c", true),
        ("/*[!b][!b]*c", "/x//c", true),
        ("/*(a|*(b))", "/abab", true), ("/+(+(a))", "/aaa", true), ("/+(a|)", "/", false), ("/x+(a|)", "/x", true),
        ("/!(a|b)", "/a", false), ("/!(*x)", "/abx", false), ("/!(!(a))", "/a", true), ("/!(!(a))", "/b", false),
        ("/{,a}b", "/b", true), ("/{a,{b,{c,d}}}", "/d", true), ("/?(a)?(b)c", "/bc", true),
        ("/*é*", "/caf\u{e9}s", true), ("/?", "/e\u{301}", false), ("/*(|a)b", "/ab", true),
    ])
    func groupsAndRunsCombine(pattern: String, path: String, expected: Bool) throws {
        #expect(try Glob(pattern).matches(path) == expected, "\(pattern) against \(path)")
        #expect(try (Glob(pattern).captures(path) != nil) == expected, "\(pattern) against \(path)")
    }

    @Test func groupsTakeWhatComesFirst() throws {
        #expect(try Glob("/(*)(*)").captures("/ab") == ["/ab", "ab", ""])
        #expect(try Glob("/*(a|b)(*)").captures("/abc") == ["/abc", "ab", "c"])
        #expect(try Glob("/?(a)x").captures("/x") == ["/x", ""])
        #expect(try Glob("/{(a),(b)}").captures("/b") == ["/b", nil, "b"])
        #expect(try Glob("/!(a)(*)").captures("/bc") == ["/bc", nil, ""])
        #expect(try Glob("/*(*(a))b").captures("/aab") == ["/aab", "aa", "aa"])
    }

    @Test func nestingIsBounded() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            "/" + String(repeating: open, count: depth) + "a" + String(repeating: close, count: depth)
        }
        for (open, close) in [("(", ")"), ("{", "}"), ("*(", ")"), ("!(", ")"), ("+(b|", ")")] {
            #expect(try Glob(nested(Glob.deepestNesting, open, close)).captures("/nothing") == nil || open == "!(")
            let error = #expect(throws: SpileError.self) { try Glob(nested(700, open, close)) }
            #expect(error?.message.contains("nested more than 32 deep") == true)
        }
        let flat = try Glob("/" + String(repeating: "(a)", count: 300))
        #expect(flat.matches("/" + String(repeating: "a", count: 300)))
    }

    /// Patterns on which backtracking takes for ever, on a thread with a small stack.
    @Test(arguments: [
        "/*a*a*a*a*a*a*a*a*a*ab", "/*(a)", "/+(+(+(a)))b", "/*(a|aa|aaa)b", "/!(*(a)b)x", "/*(*(*(*(a))))b",
        "/**a**a**a**a**a**a**a**ab",
    ])
    func noPatternIsTooCostly(pattern: String) throws {
        let glob = try Glob(pattern)
        let path = "/" + String(repeating: "a", count: 4_000)
        let clock = ContinuousClock()
        let taken = clock.measure {
            #expect(glob.matches(path) == (pattern == "/*(a)"))
            #expect((glob.captures(path) != nil) == (pattern == "/*(a)"))
        }
        #expect(taken < .seconds(20))
    }
}
