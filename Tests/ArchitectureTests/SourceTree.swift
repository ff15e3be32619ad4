import Foundation

/// A source file as text, read only.
struct SourceFile {
    let path: String
    let lines: [(number: Int, text: Substring)]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { ($0 + 1, $1) }
    }

    /// Lines that are not comments.
    var code: [(number: Int, text: Substring)] {
        lines.filter { !$0.text.drop(while: \.isWhitespace).hasPrefix("//") }
    }

    var imports: [(line: Int, module: String)] {
        code.compactMap { number, text in
            var words = text.split(separator: " ")
            while let first = words.first, first.hasPrefix("@") || ["package", "public", "internal"].contains(first) {
                words.removeFirst()
            }
            guard words.first == "import", words.count > 1 else { return nil }
            let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            return (number, String(name.prefix { $0 != "." }))
        }
    }
}

/// The project's own sources.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func swiftFiles(under folder: String) throws -> [SourceFile] {
        let base = root.appendingPathComponent(folder)
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return try names.filter { $0.hasSuffix(".swift") }.sorted().map { name in
            let text = try String(contentsOf: base.appendingPathComponent(name), encoding: .utf8)
            return SourceFile(path: "\(folder)/\(name)", text: text)
        }
    }

    static func handwritten() throws -> [SourceFile] {
        try (swiftFiles(under: "Sources") + swiftFiles(under: "Tests")).filter { !$0.path.hasPrefix("Sources/API/") }
    }

    static func folders(under folder: String) throws -> [String] {
        let base = root.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(atPath: base.path).filter { name in
            var isFolder: ObjCBool = false
            FileManager.default.fileExists(
                atPath: base.appendingPathComponent(name).path, isDirectory: &isFolder)
            return isFolder.boolValue
        }
    }
}
