import API
import Core

/// What the words of `edit metadata` say (`contract/cli.md` §1.3).
enum MetadataWords {
    /// Four words an edit; one that has several pairs becomes several edits.
    static func edits(_ words: [String], project: String) throws -> [Metadata_Edit] {
        guard words.count.isMultiple(of: 4) else {
            throw Failure("four words make an edit (kind, which, what to do, data): \(words.count) were given")
        }
        return try stride(from: 0, to: words.count, by: 4).flatMap { index in
            let target = try target(words[index], words[index + 1], project: project)
            return try changes(words[index + 2], words[index + 3]).map { change in
                var edit = target
                edit.op = change
                return edit
            }
        }
    }

    private static func target(_ kind: String, _ name: String, project: String) throws -> Metadata_Edit {
        var edit = Metadata_Edit()
        switch kind.lowercased() {
        case "cluster": edit.cluster = Metadata_ClusterPicker()
        case "project": edit.project.name = name
        case "repo": edit.repo = try Reference.repo(name, project: project).repoPicker
        case "branch": edit.branch = try Reference.branch(name, project: project).branchPicker
        case "commit": edit.commit = try Reference.commit(name, project: project).commitPicker()
        case "pipeline":
            let reference = try Reference.repo(name, project: project)
            edit.pipeline.name = .with {
                $0.project.name = reference.project
                $0.name = reference.repo
            }
        default:
            throw Failure(
                "\"\(kind)\" has no metadata: write cluster, project, repo, branch, commit or pipeline")
        }
        return edit
    }

    private static func changes(_ operation: String, _ data: String) throws -> [Metadata_Edit.OneOf_Op] {
        switch operation.lowercased() {
        case "add":
            return try pairs(data).map { key, value in
                .addKey(
                    .with {
                        $0.key = key
                        $0.value = value
                    })
            }
        case "edit":
            return try pairs(data).map { key, value in
                .editKey(
                    .with {
                        $0.key = key
                        $0.value = value
                    })
            }
        case "delete": return [.deleteKey(.with { $0.key = data })]
        case "replace", "set":
            let pairs = try data.isEmpty ? [] : pairs(data)
            let map = Dictionary(pairs) { _, last in last }
            return [.replace(.with { $0.replacement = map })]
        default: throw Failure("\"\(operation)\" is none of add, edit, delete and replace")
        }
    }

    /// A JSON object of strings, or `key=value;key=value`, where either part may stand in quotes.
    static func pairs(_ text: String) throws -> [(String, String)] {
        if text.first == "{" { return try object(text) }
        var scanner = PairScanner(rest: Substring(text))
        return try scanner.all()
    }

    private static func object(_ text: String) throws -> [(String, String)] {
        guard let json = try? JSON(parsing: text), case .object(let members) = json else {
            throw Failure("\(text) is not a JSON object")
        }
        return try members.map { member in
            guard case .string(let value) = member.value else {
                throw Failure("the value of \"\(member.key)\" is no string: write it in quotes")
            }
            return (member.key, value)
        }
    }
}

/// Reads `key=value` pairs with semicolons between them.
private struct PairScanner {
    var rest: Substring

    mutating func all() throws -> [(String, String)] {
        var pairs: [(String, String)] = []
        repeat {
            let key = try word(upTo: "=;")
            guard rest.popFirst() == "=" else { throw Failure("write key=value, not \"\(key)\" alone") }
            if key.isEmpty { throw Failure("a key is missing in front of =") }
            pairs.append((key, try word(upTo: ";")))
        } while rest.popFirst() != nil && !rest.isEmpty
        return pairs
    }

    /// One key or value: quoted, or all up to one of `marks`.
    private mutating func word(upTo marks: String) throws -> String {
        guard let quote = rest.first, quote == "\"" || quote == "'" else {
            let word = rest.prefix { !marks.contains($0) }
            rest = rest[word.endIndex...]
            return String(word)
        }
        rest.removeFirst()
        var word = ""
        while let character = rest.popFirst() {
            if character == quote {
                guard rest.first.map({ marks.contains($0) }) ?? true else {
                    throw Failure("nothing may follow a closing quote but \(marks)")
                }
                return word
            }
            // As in a shell, single quotes leave everything as it is.
            if character == "\\", quote == "\"", let escaped = rest.popFirst() {
                word.append(Self.escapes[escaped] ?? escaped)
            } else {
                word.append(character)
            }
        }
        throw Failure("a closing \(quote) is missing")
    }

    private static let escapes: [Character: Character] = ["n": "\n", "t": "\t", "r": "\r"]
}

extension Reference {
    var repoPicker: PfsV2_RepoPicker {
        .with {
            $0.name = .with {
                $0.project.name = project
                $0.name = repo
                $0.type = type
            }
        }
    }

    var branchPicker: PfsV2_BranchPicker { branchPicker(branch) }

    private func branchPicker(_ branch: String) -> PfsV2_BranchPicker {
        .with {
            $0.name = .with {
                $0.repo = repoPicker
                $0.name = branch
            }
        }
    }

    /// Throws for malformed ancestry.
    func commitPicker() throws -> PfsV2_CommitPicker {
        let selector: CommitSelector
        do {
            selector = try CommitHandle(repo: RepoKey(name: repo), branch: branch, id: commit).selector()
        } catch {
            throw Failure(error.description)
        }
        switch selector {
        case .ancestor(let base, let back): return Self.ancestor(of: start(base), back)
        case .fromRoot(let branch, let number, let back):
            let root = PfsV2_CommitPicker.with {
                $0.branchRoot = .with {
                    $0.branch = branchPicker(branch)
                    $0.offset = UInt32(clamping: number - 1)
                }
            }
            return Self.ancestor(of: root, back)
        }
    }

    private func start(_ base: CommitSelector.Base) -> PfsV2_CommitPicker {
        .with {
            switch base {
            case .branch(let name): $0.branchHead = branchPicker(name)
            case .id(let id):
                $0.id = .with {
                    $0.repo = repoPicker
                    $0.id = id.description
                }
            }
        }
    }

    private static func ancestor(of start: PfsV2_CommitPicker, _ back: Int) -> PfsV2_CommitPicker {
        if back == 0 { return start }
        return .with {
            $0.ancestor = .with {
                $0.start = start
                $0.offset = UInt32(clamping: back)
            }
        }
    }
}
