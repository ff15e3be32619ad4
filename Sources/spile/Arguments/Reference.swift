import API

/// What `repo[@branch-or-commit[:path]]` says (`contract/cli.md` §2.1). A project may stand in front
/// (`project/repo@…`); no repo name holds a slash, so the two cannot be confused.
struct Reference: Equatable, Sendable {
    var project: String
    var repo: String
    var type = "user"
    /// Empty where none is named, or where only an id is.
    var branch = ""
    /// A commit id, or the text of an ancestry expression, which the server resolves.
    var commit = ""
    /// Nil where the text has no `:`.
    var path: String?
    /// Whether an `@` was there.
    var hasCommitPart = false

    /// Splits at the first `@`, then the first `:`, then the first `=`.
    init(_ text: String, project: String) throws {
        let (head, tail) = split(text, at: "@")
        try self.init(repo: head, project: project)
        guard let tail else { return }
        hasCommitPart = true
        let (handle, path) = split(tail, at: ":")
        self.path = path
        let (name, id) = split(handle, at: "=")
        if let id {
            (branch, commit) = (name, id)
        } else if isCommitID(name) || !isBranchName(name) {
            commit = name
        } else {
            branch = name
        }
    }

    private init(repo text: String, project: String) throws {
        var name = Substring(text)
        self.project = project
        if let slash = name.firstIndex(of: "/") {
            self.project = String(name[..<slash])
            name = name[name.index(after: slash)...]
        }
        if name.isEmpty {
            throw Failure("repo cannot be empty: write <repo>@<branch or commit>, not \"\(text)\"")
        }
        if let dot = name.firstIndex(of: ".") {
            type = String(name[name.index(after: dot)...])
            name = name[..<dot]
        }
        repo = String(name)
    }

    /// What stands after the `@`.
    var handle: String {
        if branch.isEmpty { return commit }
        return commit.isEmpty ? branch : "\(branch)=\(commit)"
    }

    var description: String { "\(project)/\(repo)\(type == "user" ? "" : "." + type)@\(handle)" }

    var wireRepo: PfsV2_Repo {
        .with {
            $0.name = repo
            $0.type = type
            $0.project = .with { $0.name = project }
        }
    }

    /// The branch named, also with an empty name.
    var wireBranch: PfsV2_Branch {
        .with {
            $0.repo = wireRepo
            $0.name = branch
        }
    }

    /// The wire form of a commit: repo and branch.repo are both set, also when the branch has no name.
    var wireCommit: PfsV2_Commit {
        .with {
            $0.repo = wireRepo
            $0.branch = wireBranch
            $0.id = commit
        }
    }

    var wireFile: PfsV2_File {
        .with {
            $0.commit = wireCommit
            $0.path = path ?? ""
        }
    }

    /// `repo`, with nothing after it.
    static func repo(_ text: String, project: String) throws -> Reference {
        let reference = try Reference(text, project: project)
        if reference.hasCommitPart {
            throw Failure(
                "\"\(text)\" names a branch or commit where only a repo is wanted; leave out the part from the @")
        }
        return reference
    }

    /// `repo@branch`, without id, ancestry or path.
    static func branch(_ text: String, project: String) throws -> Reference {
        let reference = try Reference(text, project: project)
        if reference.path != nil {
            throw Failure("\"\(text)\" names a file where a branch is wanted: write <repo>@<branch>")
        }
        if reference.branch.isEmpty || !reference.commit.isEmpty {
            throw Failure("\"\(text)\" does not name a branch: write <repo>@<branch>")
        }
        return reference
    }

    /// `repo@branch-or-commit`, without a path.
    static func commit(_ text: String, project: String) throws -> Reference {
        let reference = try Reference(text, project: project)
        if reference.path != nil {
            throw Failure("\"\(text)\" names a file where a commit is wanted: write <repo>@<branch or commit>")
        }
        if reference.handle.isEmpty {
            throw Failure("\"\(text)\" does not name a commit: write <repo>@<branch or commit>")
        }
        return reference
    }

    /// `repo@branch-or-commit[:path]`.
    static func file(_ text: String, project: String) throws -> Reference {
        let reference = try Reference(text, project: project)
        if reference.handle.isEmpty {
            throw Failure("\"\(text)\" does not name a commit: write <repo>@<branch or commit>:<path>")
        }
        return reference
    }
}

/// A UUID of version 4 in lower-case hexadecimal without dashes: the form of every commit, job and transaction id.
func isCommitID(_ text: some StringProtocol) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 32, bytes[12] == UInt8(ascii: "4") else { return false }
    return bytes.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
}

/// Whether a text can be the name of a branch: ASCII letters, digits, `-` and `_`.
func isBranchName(_ text: some StringProtocol) -> Bool {
    !text.isEmpty
        && text.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95
        }
}

private func split(_ text: String, at mark: Character) -> (String, String?) {
    guard let index = text.firstIndex(of: mark) else { return (text, nil) }
    return (String(text[..<index]), String(text[text.index(after: index)...]))
}

/// One record of comma separated values, with quotes honoured: `a,"b,c"` is `a` and `b,c`.
func splitCommas(_ text: String) -> [String] {
    var fields: [String] = []
    var field = ""
    var quoted = false
    var rest = Substring(text)
    while let character = rest.popFirst() {
        if quoted {
            if character != "\"" {
                field.append(character)
            } else if rest.first == "\"" {
                field.append(rest.removeFirst())
            } else {
                quoted = false
            }
        } else if character == "\"" && field.isEmpty {
            quoted = true
        } else if character == "," {
            fields.append(field)
            field = ""
        } else {
            field.append(character)
        }
    }
    return fields + [field]
}
