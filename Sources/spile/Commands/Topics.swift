/// What a noun alone prints: a line on what the thing is, and the commands about it.
enum Topics {
    private static let descriptions = [
        "project": "A project holds repos and pipelines; names are unique within it.",
        "repo": "A repo holds versioned files: branches that point at commits.",
        "branch": "A branch is a name that moves from commit to commit, and may follow other branches.",
        "commit": "A commit is one version of the files of a repo, written once.",
        "file": "A file is a path and its bytes within a commit.",
        "pipeline":
            "A pipeline runs code on each version of its inputs, or on an outside source, and commits what it writes.",
        "job": "A job is one run of a pipeline over one version of its inputs.",
        "datum": "A datum is the piece of input that one run of the code sees.",
        "transaction": "A transaction makes several changes at once.",
        "config": "The config file names servers (contexts) and which of them is in use.",
        "secret": "A secret is a value that pipelines' code may read, kept out of their specs.",
    ]

    /// The text for a line that is one noun, perhaps with `--help`; nil for every other line.
    static func text(for arguments: [String]) -> String? {
        let words = arguments.filter { $0 != "--help" && $0 != "-h" }
        guard words.count == 1, let word = words.first, word != "config" else { return nil }
        let noun = FlagTable.singular(word)
        guard let description = descriptions[noun] else { return nil }
        let commands = FlagTable.commands.map(\.name).filter { $0.hasSuffix(" " + noun) }.sorted()
        let lines = commands.map { "  \(Program.name) \($0)" }
        return ([description, "", "Associated Commands:"] + lines).joined(separator: "\n") + "\n"
    }
}
