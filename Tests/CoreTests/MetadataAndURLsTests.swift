import Core
import Testing

@Suite struct MetadataEditTests {
    private let map = ["a": "1", "b": "2"]

    @Test func `each change does what its name says`() throws {
        #expect(try MetadataEdit.Change.replace(["c": "3"]).applied(to: map) == ["c": "3"])
        #expect(try MetadataEdit.Change.replace([:]).applied(to: map) == [:])
        #expect(try MetadataEdit.Change.add(key: "c", value: "").applied(to: map) == ["a": "1", "b": "2", "c": ""])
        #expect(try MetadataEdit.Change.edit(key: "a", value: "9").applied(to: map) == ["a": "9", "b": "2"])
        #expect(try MetadataEdit.Change.edit(key: "c", value: "9").applied(to: [:]) == ["c": "9"])
        #expect(try MetadataEdit.Change.delete(key: "a").applied(to: map) == ["b": "2"])
        #expect(try MetadataEdit.Change.delete(key: "z").applied(to: map) == map)
    }

    @Test func `adding a key that is there is refused in words that end the message`() {
        let error = #expect(throws: SpileError.self) {
            try MetadataEdit.Change.add(key: "a", value: "1").applied(to: map)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.description == "add_key target key \"a\" already exists; use edit_key instead")
    }

    @Test(arguments: [
        MetadataEdit.Change.replace(["": "x"]), .add(key: "", value: "x"), .edit(key: "", value: "x"), .delete(key: ""),
    ])
    func `an empty key is refused`(change: MetadataEdit.Change) {
        let error = #expect(throws: SpileError.self) { try change.applied(to: map) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func `a map may grow to its bound and no further`() throws {
        let most = String(repeating: "v", count: Limits.metadataBytes - 1)
        #expect(try MetadataEdit.Change.add(key: "k", value: most).applied(to: [:]).count == 1)
        let error = #expect(throws: SpileError.self) {
            try MetadataEdit.Change.add(key: "k", value: most + "v").applied(to: [:])
        }
        #expect(error?.code == .resourceExhausted)
    }
}

@Suite struct CommitPickerTests {
    private let repo = RepoKey(name: "r")
    private let id = CommitID("0123456789ab4cdef0123456789abcde")!

    @Test func `a handle and a picker that name the same are the same`() throws {
        func picker(_ text: String) throws -> CommitPicker { try CommitPicker(CommitHandle(repo: repo, id: text)) }
        #expect(try picker("master") == CommitPicker(.head(repo.branch("master"))))
        #expect(try picker("master^2") == CommitPicker(.head(repo.branch("master")), back: 2))
        #expect(try picker("\(id)~") == CommitPicker(.id(repo.commit(id)), back: 1))
        #expect(try picker("master.3") == CommitPicker(.root(repo.branch("master"), offset: 2)))
        #expect(try picker("master.3^") == CommitPicker(.root(repo.branch("master"), offset: 2), back: 1))
        #expect(try picker("master.3^").description == "default/r@master.3^1")
    }
}

@Suite struct SourceURLTests {
    @Test func `the scheme says what a URL is`() throws {
        #expect(try SourceURL("http://h/x").scheme == .http)
        #expect(try SourceURL("HTTPS://h/x").scheme == .https)
        #expect(try SourceURL("file:///x").scheme == .file)
        for scheme in ["s3", "gs", "gcs", "azblob", "wasb", "minio", "test-minio"] {
            #expect(try SourceURL("\(scheme)://bucket/key").scheme == .objectStore(scheme))
        }
    }

    @Test(arguments: [
        ("ftp://h/x", "unrecognized scheme \"ftp\""), ("x", "is not a URL"), ("://h", "is not a URL"),
        ("", "not a URL"),
        ("http:/h", "is not a URL"), ("http://h/a b", "blanks or control characters"),
        ("http://h/\r\nX: y", "blanks or control characters"),
    ])
    func `what is no URL, or one of an unknown kind, is refused`(text: String, part: String) {
        let error = #expect(throws: SpileError.self) { try SourceURL(text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }

    @Test func `messages show no password`() throws {
        let url = try SourceURL("https://me:secret@host/a@b?c=d")
        #expect(url.description == "\"https://…@host/a@b?c=d\"")
        let error = #expect(throws: SpileError.self) { try SourceURL("ftp://me:secret@host/") }
        #expect(error?.message.contains("secret") == false)
    }
}
