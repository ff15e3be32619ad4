/// One flag of a command: its long name, perhaps one letter, and whether a value follows.
struct FlagSpec: Equatable, Sendable {
    enum Arity: Sendable {
        /// Present or absent; `=true` and `=false` are read.
        case present
        /// Present, absent or said to be false: the difference matters.
        case toggle
        /// Takes the next token, whatever it looks like.
        case value
    }
    let name: String
    let letter: Character?
    let arity: Arity

    /// Reads one word of ``FlagTable``: `name[:letter]`, then `=` for a value or `?` for a toggle.
    init(_ word: Substring) {
        var word = word
        switch word.last {
        case "=": (arity, word) = (.value, word.dropLast())
        case "?": (arity, word) = (.toggle, word.dropLast())
        default: arity = .present
        }
        if let colon = word.firstIndex(of: ":") {
            letter = word[word.index(after: colon)...].first
            name = String(word[..<colon])
        } else {
            (letter, name) = (nil, String(word))
        }
    }
}

/// Every command and its flags, as data, so that the argument line can be brought to one form before it is parsed
/// (`contract/cli.md` §1.5). A test compares it with what the commands themselves declare.
enum FlagTable {
    /// Flags every command takes, anywhere on the line.
    static let global = "verbose:v no-color rpc-timeout= help:h"

    /// Flags that some commands of the original take and that do no harm on the others. No command pages its output, so
    /// `--no-pager` is in no list below and is dropped wherever it stands.
    static let harmless = ["no-pager", "full-timestamps", "progress"]

    /// Shorthand used below: P project, RO raw output, FT full timestamps, AP all projects, SPEC a pipeline's spec,
    /// W what a write says beside its files.
    private static func group(_ word: Substring) -> String? {
        switch word {
        case "P": "project="
        case "RO": "raw output:o="
        case "FT": "full-timestamps"
        case "AP": "all-projects:A"
        case "W": "metadata= idempotency-key= expected-head="
        case "SPEC": "file:f= jsonnet= arg= push-images:p registry:r= username:u= dry-run"
        default: nil
        }
    }

    /// An array, not a dictionary: its literal lies ready in the program, and most lines need one look at it.
    static let commands: [(name: String, flags: String)] = [
        (
            "put file",
            """
            file:f= input-file:i= recursive:r compress:c parallelism:p= append:a progress? full-path untar \
            overwrite:o W P
            """
        ),
        ("get file", "recursive:r output:o= progress? offset= retry P"),
        ("list file", "RO FT P"),
        ("inspect file", "RO P"),
        ("glob file", "RO FT P"),
        ("diff file", "shallow:s name-only diff-command= old-project= FT P"),
        ("copy file", "append:a src-project= dest-project= P"),
        ("delete file", "recursive:r P"),

        ("start commit", "parent:p= message:m= description= W P"),
        ("finish commit", "message:m= description= force:f W P"),
        ("inspect commit", "RO FT P"),
        ("list commit", "from:f= number:n= all expand:x origin= RO FT P"),
        ("wait commit", "RO FT P"),
        ("subscribe commit", "from= new all origin= RO FT P"),
        ("squash commit", ""),
        ("delete commit", ""),
        ("squash commitV2", "recursive:r P"),
        ("delete commitV2", "recursive:r P"),
        ("find commit", "json limit= timeout= P"),

        ("create repo", "description:d= P"),
        ("update repo", "description:d= P"),
        ("inspect repo", "RO FT P"),
        ("list repo", "all type= RO FT P AP"),
        ("delete repo", "force:f all P AP"),
        (
            "create branch",
            """
            provenance:p= head= trigger:t= trigger-cron= trigger-size= trigger-commits= trigger-all P
            """
        ),
        ("inspect branch", "RO FT P"),
        ("list branch", "RO P"),
        ("delete branch", "force:f P"),
        ("create project", "description:d="),
        ("update project", "description:d="),
        ("inspect project", "RO"),
        ("list project", "RO"),
        ("delete project", "force:f"),

        ("create pipeline", "SPEC RO P"),
        ("update pipeline", "SPEC reprocess RO P"),
        ("edit pipeline", "editor= output:o= reprocess P"),
        ("list pipeline", "spec:s history= commit:c= state= RO FT P AP"),
        ("inspect pipeline", "RO FT P"),
        ("delete pipeline", "all force:f keep-repo P AP"),
        ("start pipeline", "P"),
        ("stop pipeline", "P"),
        ("rerun pipeline", "reprocess P"),
        ("run cron", "P"),
        ("validate pipeline", "file:f= P"),
        ("check status", "raw P AP"),
        ("draw pipeline", "commit:c= box-width= edge-height= P"),
        ("lineage", "forward depth= limit= raw P"),
        ("list job", "pipeline:p= input:i= expand:x history= state= RO FT P AP"),
        ("inspect job", "RO FT P"),
        ("wait job", "RO FT P"),
        ("stop job", "P"),
        ("delete job", "P"),
        ("list datum", "file:f= RO P"),
        ("inspect datum", "RO P"),
        ("restart datum", "P"),
        ("next datum", "error="),
        (
            "logs",
            """
            pipeline:p= job:j= datum= inputs= master worker raw follow:f tail:t= since= P
            """
        ),
        ("position", "RO P"),
        ("create secret", "file:f="),
        ("list secret", ""),
        ("inspect secret", ""),
        ("delete secret", ""),

        ("start transaction", ""),
        ("stop transaction", ""),
        ("list transaction", "RO FT"),
        ("finish transaction", ""),
        ("delete transaction", ""),
        ("inspect transaction", "RO FT"),
        ("resume transaction", ""),

        ("version", "client-only print-architecture timeout= enterprise compare RO"),
        ("connect", "alias="),
        ("config get metrics", ""),
        ("config get active-context", ""),
        ("config get active-enterprise-context", ""),
        ("config get context", ""),
        ("config set metrics", ""),
        ("config set active-context", ""),
        ("config set active-enterprise-context", ""),
        ("config set context", "overwrite"),
        (
            "config update context",
            """
            pachd-address= cluster-name= auth-info= server-cas= namespace= project= remove-cluster-deployment-id
            """
        ),
        ("config delete context", ""),
        ("config list context", ""),
        ("auth use-auth-token", "enterprise"),
        ("auth logout", "enterprise"),
        ("auth whoami", "enterprise"),
        (
            "auth activate",
            """
            supply-root-token only-activate enterprise issuer= redirect= client-id= trusted-peers= scopes=
            """
        ),
        ("auth deactivate", "enterprise"),
        ("auth login", "no-browser:b id-token:t enterprise"),
        ("auth get-robot-token", "quiet:q ttl= enterprise"),
        ("auth revoke", "token= user= enterprise"),
        ("auth rotate-root-token", "supply-token="),
        ("auth get-groups", "enterprise"),
        ("auth roles-for-permission", ""),
        ("auth check repo", "P"),
        ("auth check project", ""),
        ("auth get repo", "P"),
        ("auth get project", ""),
        ("auth get cluster", ""),
        ("auth set repo", "P"),
        ("auth set project", ""),
        ("auth set cluster", ""),
        ("auth get-config", "output-format:o= enterprise"),
        ("auth set-config", "file:f= enterprise"),
        ("inspect cluster", "RO"),
        ("inspect defaults", "cluster project= raw"),
        ("create defaults", "cluster project= file:f= regenerate reprocess dry-run"),
        ("update defaults", "cluster project= file:f= regenerate reprocess dry-run"),
        ("delete defaults", "cluster project= regenerate reprocess dry-run"),
        ("delete all", ""),
        ("fsck", "fix:f zombie= zombie-all P"),
        ("edit metadata", "P"),
        ("list task", "namespace:n= group:g= RO"),
        (
            "server",
            "data= catalog= store= listen= http= log-level= log-format= allow-file-urls= gc-interval= service-host= "
                + "tls-cert= tls-key= peer-listen= auth-root-token-file= launcher= container-command= "
                + "container-network= image-pull= tool-binary= kubeconfig= kubernetes-namespace= "
                + "kubernetes-service= kubernetes-image= kubernetes-claim= kubernetes-account= kubernetes-pull-secret= "
                + "kubernetes-address="
        ),
        ("gc", "dry-run"),
        ("check", "data offline data-folder="),
        ("snapshot", ""),
        ("restore", "data= check-data"),
        ("migrate", "data= catalog= store= to-data= to-catalog= to-store= check-data"),
    ]

    /// Nouns that also answer to a plural.
    private static let plurals = [
        ("repos", "repo"), ("commits", "commit"), ("branches", "branch"), ("projects", "project"), ("files", "file"),
        ("jobs", "job"), ("datums", "datum"), ("pipelines", "pipeline"), ("secrets", "secret"),
        ("snapshots", "snapshot"), ("transactions", "transaction"), ("contexts", "context"), ("default", "defaults"),
    ]

    /// The one spelling of a command word.
    static func singular(_ word: String) -> String { plurals.first { $0.0 == word }?.1 ?? word }

    /// The flags of a command, the global ones among them.
    static func flags(of command: String) -> [FlagSpec] {
        flags(in: (commands.first { $0.name == command }?.flags ?? "") + " " + global)
    }

    private static func flags(in words: String) -> [FlagSpec] {
        words.split(whereSeparator: { $0 == " " || $0 == "\n" }).flatMap { word in
            group(word).map { flags(in: $0) } ?? [FlagSpec(word)]
        }
    }

    /// Whether a flag in front of the command takes a value, told by what most commands mean by it.
    static func takesValue(long name: String) -> Bool {
        flags(in: global).contains { $0.name == name && $0.arity == .value }
            || commands.contains { flags(in: $0.flags).contains { $0.name == name && $0.arity == .value } }
    }

    /// Whether the words so far, each followed by a blank, are a whole command.
    static func isWhole(_ path: String) -> Bool {
        commands.contains { $0.name.utf8.count + 1 == path.utf8.count && path.hasPrefix($0.name) }
    }

    /// Whether the words so far, each followed by a blank, are the beginning of a longer command.
    static func isPrefix(_ path: String) -> Bool {
        commands.contains { $0.name.utf8.count > path.utf8.count && $0.name.hasPrefix(path) }
    }

    /// Whether a word may follow the words so far, each of which is followed by a blank.
    static func leads(_ path: String, _ word: String) -> Bool {
        if word.utf8.contains(UInt8(ascii: " ")) { return false }
        let longer = path + word
        return commands.contains { command in
            guard command.name.hasPrefix(longer) else { return false }
            let rest = command.name.utf8.dropFirst(longer.utf8.count)
            return rest.isEmpty || rest.first == UInt8(ascii: " ")
        }
    }

    /// The words that may follow the words so far, each of which is followed by a blank.
    static func next(after path: String) -> Set<String> {
        var words: Set<String> = []
        for command in commands where command.name.hasPrefix(path) {
            if let word = command.name.dropFirst(path.count).split(separator: " ").first { words.insert(String(word)) }
        }
        return words
    }
}
