/// The checks of `pps.md` §1.5, in its order and with its fragments. Those that look at the catalog are the manager's.
extension PipelineSpec {
    /// What a dry run checks too: faults that no state of the server can mend.
    package func checkStatic() throws(SpileError) {
        if json["tfJob"] != nil { throw Self.fault("embedding TFJobs in pipelines is not supported yet") }
        let reprocess = json["reprocessSpec"]?.string ?? ""
        if !["", "until_success", "every_job"].contains(reprocess) {
            throw Self.fault("ReprocessSpec must be one of until_success or every_job, not \"\(reprocess)\"")
        }
        let tolerations = json["tolerations"]?.elements ?? []
        for (index, toleration) in tolerations.enumerated() {
            if ["EMPTY", nil].contains(toleration["operator"]?.string) {
                throw Self.fault(
                    "toleration \(index + 1)/\(tolerations.count): cannot omit key/value comparison operator; "
                        + "specify EQUAL or EXISTS")
            }
        }
        for (field, name) in [("podSpec", "PodSpec"), ("podPatch", "PodPatch")] {
            guard let text = json[field]?.string, !text.isEmpty else { continue }
            do { _ = try JSONText.read(text) } catch { throw Self.fault("malformed \(name): \(error)") }
        }
        if let service, !["ClusterIP", "LoadBalancer", "NodePort"].contains(service.type) {
            throw Self.fault("the following service type \(service.type) is not allowed")
        }
    }

    private static func fault(_ text: String) -> SpileError { .invalid("invalid effective spec: \(text)") }

    /// Checks what the spec says of secrets against those that `known` finds: the keys of a secret, nil for none.
    package func checkSecrets(_ known: (String) throws -> Set<String>?) throws {
        for secret in transform?.secrets ?? [] {
            try secret.check()
            guard let keys = try known(secret.name) else {
                throw SpileError.domain(
                    "missing Kubernetes secret \(secret.name)", remedy: "make it: pachctl create secret -f <manifest>")
            }
            if !secret.key.isEmpty, !keys.contains(secret.key) {
                throw SpileError.domain("Kubernetes secret \(secret.name) missing key \(secret.key)")
            }
        }
    }

    /// What is checked inside the transaction, before names are looked up.
    package func checkShape() throws(SpileError) {
        try checkName()
        if s3Out, service != nil || spout != nil {
            throw .domain("s3 output is not supported in spouts or services")
        }
        guard transform != nil else { throw .domain("pipeline must specify a transform") }
        if spout != nil, autoscaling { throw .domain("autoscaling can't be used with spouts") }
        if let first = name.utf8.first, !NameRules.isAlphanumeric(first) {
            throw .domain("pipeline names must start with an alphanumeric character")
        }
        if let input { try InputChecks.check(input) }
        try checkEgress()
        if service != nil, parallelism > 1 || json["parallelismSpec"] != nil && parallelism != 1 {
            throw .domain("services can only be run with a constant parallelism of 1")
        }
        if let spout, spout.service == nil, input != nil {
            throw .domain("spout pipelines (without a service) must not have an input")
        }
    }

    private func checkName() throws(SpileError) {
        if name.isEmpty { throw .domain("invalid pipeline spec: request.Pipeline.Name cannot be empty") }
        guard NameRules.isPlain(name) else {
            throw .domain(
                "invalid pipeline name \"\(name)\": only alphanumeric characters, underscores, and dashes are allowed")
        }
        let excess = name.utf8.count - 51
        if excess > 0 { throw .domain("pipeline name \"\(name)\" is \(excess) characters longer than the 51 max") }
        let kubernetesName = "\(project)-\(name)-v99"
        let longer = kubernetesName.utf8.count - 63
        if longer > 0 {
            throw .domain("Kubernetes name \"\(kubernetesName)\" is \(longer) characters longer than the 63 max")
        }
    }

    private func checkEgress() throws(SpileError) {
        guard let database = json["egress"]?["sqlDatabase"] else { return }
        guard let secret = database["secret"] else { throw .domain("egress.sql_database.secret is required") }
        if (secret["name"]?.string ?? "").isEmpty || (secret["key"]?.string ?? "").isEmpty {
            throw .domain("egress.sql_database.secret.name and egress.sql_database.secret.key are required")
        }
    }
}

extension SecretSpec {
    /// Faults that no secret can mend.
    fileprivate func check() throws(SpileError) {
        if !variable.isEmpty, key.isEmpty { throw .domain("secret \(name) has env_var set but is missing key") }
        if variable.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 }) {
            throw .domain("secret \(name): env_var \"\(variable)\" is not the name of a variable")
        }
        if !mountPath.isEmpty, !mountPath.hasPrefix("/") || mountPath.split(separator: "/").contains("..") {
            throw .domain("secret \(name): mount_path \"\(mountPath)\" is not an absolute path without ..")
        }
    }
}

extension InputSpec {
    /// The checks of an input of which only the datums are asked: unlike a pipeline's it may name commits.
    package func check() throws(SpileError) { try InputChecks.check(self, mayNameCommits: true) }
}

/// The checks of an input tree.
enum InputChecks {
    static func check(_ input: InputSpec, mayNameCommits: Bool = false) throws(SpileError) {
        _ = try names(of: input, inside: nil, mayNameCommits: mayNameCommits)
    }

    /// Checks a subtree and returns the names it uses; siblings of a union may share names.
    private static func names(
        of input: InputSpec, inside outer: InputSpec.Combination?, mayNameCommits: Bool
    ) throws(SpileError) -> Set<String> {
        let kinds = (input.pfs == nil ? 0 : 1) + (input.cron == nil ? 0 : 1) + input.combined.count
        if kinds > 1 { throw .domain("multiple input types set") }
        if kinds == 0 { throw .domain("no input set") }
        if let pfs = input.pfs {
            if !mayNameCommits, !(pfs["commit"]?.string ?? "").isEmpty {
                throw .domain("input cannot come from a commit; use a branch")
            }
            return [try file(pfs, inside: outer)]
        }
        if let cron = input.cron { return [try tick(cron)] }
        var all: Set<String> = []
        for (combination, children) in input.combined {
            let context = outer ?? (combination == .cross ? nil : combination)
            for child in children {
                let names = try names(of: child, inside: context, mayNameCommits: mayNameCommits)
                if combination != .union, let twice = all.intersection(names).min() {
                    throw .domain("name \"\(twice)\" was used more than once")
                }
                all.formUnion(names)
            }
        }
        return all
    }

    private static func file(_ pfs: JSONValue, inside outer: InputSpec.Combination?) throws(SpileError) -> String {
        let repo = pfs["repo"]?.string ?? ""
        let given = pfs["name"]?.string ?? ""
        let name = given.isEmpty ? repo : given
        if repo == "out", given.isEmpty {
            throw .domain(
                "inputs based on repos named \"out\" must have 'name' set, as pachyderm already creates /pfs/out")
        }
        if repo.isEmpty, name.isEmpty { throw .domain("input must specify a name") }
        try checkName(name)
        if repo.isEmpty { throw .domain("input must specify a repo") }
        let isS3 = pfs["s3"]?.bool ?? false
        let glob = pfs["glob"]?.string ?? ""
        if glob.isEmpty, !isS3 { throw .domain("input must specify a glob") }
        if isS3 {
            if FilePath.clean(glob) != "/" {
                throw .domain("inputs that set 's3' to 'true' must also set 'glob' to \"/\"")
            }
            if pfs["lazy"]?.bool ?? false { throw .domain("input cannot specify both 's3' and 'lazy'") }
            if pfs["emptyFiles"]?.bool ?? false { throw .domain("input cannot specify both 's3' and 'empty_files'") }
            if let outer { throw .domain("S3 inputs in \(outer.rawValue) expressions are not supported") }
        }
        return name
    }

    private static func tick(_ cron: JSONValue) throws(SpileError) -> String {
        let name = cron["name"]?.string ?? ""
        try checkName(name)
        let spec = cron["spec"]?.string ?? ""
        guard (try? CronSchedule(spec)) != nil else {
            throw .domain(
                "error parsing cron-spec \"\(spec)\"",
                remedy: "write five fields such as \"0 * * * *\", or @hourly, @daily, @every 30s")
        }
        return name
    }

    private static func checkName(_ name: String) throws(SpileError) {
        switch name {
        case "": throw .domain("input must specify a name")
        case "out": throw .domain("input cannot be named out, as pachyderm already creates /pfs/out")
        case ".env": throw .domain("input cannot be named .env, as pachyderm already creates /pfs/.env")
        default: return
        }
    }
}
