@testable import spile

/// A folder of its own for one test.
struct TemporaryFolder {
    let path: String

    init() throws {
        let root = Environment.process.nonEmpty("TMPDIR") ?? "/tmp"
        path = "\(root)/spile-command-tests-\(makeCommitID())"
        try Files.makeFolder(path)
    }

    func write(_ name: String, _ text: String) throws { try Files.replace(path + "/" + name, with: Array(text.utf8)) }

    func read(_ name: String) throws -> String { String(decoding: try Files.read(path + "/" + name), as: UTF8.self) }

    func remove() {
        _ = try? waitFor(try spawn(["rm", "-rf", path]))
    }
}
