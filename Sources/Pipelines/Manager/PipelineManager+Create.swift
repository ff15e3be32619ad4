import Core
import Versioning

extension PipelineManager {
    /// A request whose spec has been merged with the defaults and checked as far as it can be by itself.
    package struct Prepared: Sendable {
        let spec: PipelineSpec
        let request: PipelineRequest
        package var key: PipelineKey { spec.key }
        /// Canonical JSON.
        package var effectiveSpec: String { spec.json.text }
    }

    /// Creates a pipeline, or its next version (`pps.md` §1.5, §2), and returns the effective spec as canonical JSON.
    package func create(_ request: PipelineRequest, as principal: Principal) async throws -> String {
        let prepared = try prepare(request, as: principal)
        if request.dryRun { return prepared.effectiveSpec }
        try await history.transact(as: principal) { try self.create(prepared, in: $0) }
        changed(prepared.key)
        return prepared.effectiveSpec
    }

    /// Merges and checks a spec; changes nothing.
    package func prepare(_ request: PipelineRequest, as principal: Principal) throws -> Prepared {
        try refuseLaunches(principal, "create pipeline")
        let spec = try effectiveSpec(of: request)
        if !request.dryRun {
            if spec.json["pipeline"] == nil {
                throw SpileError.domain("invalid pipeline spec: request.Pipeline cannot be nil")
            }
            try spec.checkSecrets { name in
                try history.read { try $0.secret(name) }.map { Set($0.values.keys) }
            }
        }
        return Prepared(spec: spec, request: request)
    }

    /// Creates what was prepared within a transaction; call ``changed`` once that is durable.
    package func create(_ prepared: Prepared, in transaction: HistoryTransaction) throws {
        try Self.create(prepared.spec, prepared.request, in: transaction)
    }

    /// The spec with the defaults merged in and its static checks passed.
    private func effectiveSpec(of request: PipelineRequest) throws -> PipelineSpec {
        do {
            let user = try SpecDocument.read(request.effective ?? request.spec).json
            if request.effective != nil { return try Self.completed(PipelineSpec(user)) }
            let project = ProjectKey(user["pipeline"]?["project"]?["name"]?.string ?? "")
            return try Self.effectiveSpec(of: user, try history.read { try SpecLayers(of: project, in: $0) })
        } catch let error as SpileError {
            throw error.wrapped("could not make effective spec")
        }
    }

    static func effectiveSpec(of user: JSONValue, _ layers: SpecLayers) throws(SpileError) -> PipelineSpec {
        try completed(PipelineSpec(layers.effective(user)))
    }

    /// The spec with its project, and the spout that it is, spelled out; checked as far as it can be by itself.
    private static func completed(_ merged: PipelineSpec) throws(SpileError) -> PipelineSpec {
        var spec = merged
        if spec.json["pipeline"] != nil {
            let project = JSONValue.object([JSONMember("name", .string(spec.project.name))])
            let named = JSONValue.object([JSONMember("pipeline", .object([JSONMember("project", project)]))])
            spec = PipelineSpec(spec.json.merged(with: named))
        }
        if spec.kind == .spout, spec.spout == nil {
            spec = PipelineSpec(spec.json.merged(with: .object([JSONMember("spout", .object([]))])))
        }
        // The kind of a service is spelled out where there is one.
        if let service = spec.service {
            spec = PipelineSpec(spec.json.merged(with: service.typed))
        }
        if let service = spec.spout?.service {
            spec = PipelineSpec(spec.json.merged(with: .object([JSONMember("spout", service.typed)])))
        }
        try spec.checkStatic()
        return spec
    }

    static func create(
        _ plain: PipelineSpec, _ request: PipelineRequest, in transaction: HistoryTransaction
    ) throws {
        let key = plain.key
        let old = try transaction.catalog.pipeline(key)
        if old != nil, !request.update { throw SpileError(.alreadyExists, "pipeline \"\(key)\" already exists") }
        if old != nil { try transaction.require(.repoWrite, on: AccessResource(key.repo(.user))) }
        try plain.checkShape()
        let spec = try plain.spellingOutCrons(
            since: old.map { try PipelineSpec(canonical: $0.effectiveSpec) }, now: transaction.now)
        try checkInputs(of: spec, in: transaction)
        if old == nil, try transaction.catalog.repo(key.repo(.user)) != nil {
            throw SpileError.domain(
                "pipeline \"\(key)\" cannot be created because a repo with the same name already exists",
                remedy: "choose another name, or delete the repo")
        }
        if spec.specCommit != nil, request.update {
            throw SpileError.domain("Cannot update a pipeline and provide a spec commit at the same time")
        }
        try refuseWhatIsToCome(spec)
        try checkPorts(of: spec, in: transaction)

        try transaction.killJobs(
            of: key, reason: "all jobs killed because pipeline was updated for user \(killer(transaction.principal))")
        try CronRepos.make(
            of: spec, replacing: old.map { try PipelineSpec(canonical: $0.effectiveSpec) }, in: transaction)
        try makeRepos(of: spec, in: transaction)
        try PipelineAccess.bind(spec, replacing: old, in: transaction)
        let specCommit = try commitSpec(of: key, in: transaction)
        try transaction.catalog.put(record(spec, request, old: old, specCommit: specCommit, in: transaction))
        transaction.notePipeline()
        let isStopped = old?.stopped ?? false
        if let old { try OutputBranch.leave(old, for: spec, in: transaction) }
        try OutputBranch.setTriggers(of: spec, in: transaction)
        try transaction.createBranch(
            key.repo(.user).branch(spec.outputBranch),
            isStopped ? BranchChange() : OutputBranch.derivation(of: spec))
        if spec.kind == .spout { try SpoutOutput.closeOpening(of: key, in: transaction) }
        if spec.kind == .transform { try OutputBranch.setMeta(of: spec, derives: !isStopped, in: transaction) }
    }

    private static func checkInputs(of spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        for repo in try spec.inputRepos where try transaction.catalog.repo(repo) == nil {
            throw SpileError.notFound("repo \(repo) not found")
        }
    }

    /// The code runs on this machine, beside that of others: each port is anyone's once.
    private static func checkPorts(of spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        guard let service = spec.kind == .service ? spec.service : spec.exposed else { return }
        let field = spec.spout == nil ? "service" : "spout.service"
        for (name, port) in [("internal_port", service.internalPort), ("external_port", service.externalPort)] {
            guard (1...65535).contains(port) else {
                throw SpileError.invalid(
                    "\(field).\(name) is \(port)", remedy: "set it to a port from 1 to 65535")
            }
        }
        guard service.internalPort != service.externalPort else {
            throw SpileError.invalid(
                "\(field) has \(service.externalPort) as internal_port and as external_port",
                remedy: "the code listens on this machine itself: choose another external_port")
        }
        for other in try transaction.catalog.pipelines(in: nil) where other.key != spec.key {
            guard let theirs = try PipelineSpec(canonical: other.effectiveSpec).exposed else { continue }
            let taken = [theirs.externalPort, theirs.internalPort]
            if taken.contains(service.externalPort) {
                throw SpileError.domain(
                    "external_port \(service.externalPort) belongs to pipeline \(other.key)",
                    remedy: "choose another, or delete that pipeline")
            }
            if theirs.externalPort == service.internalPort {
                throw SpileError.domain(
                    "internal_port \(service.internalPort) is the external_port of pipeline \(other.key)",
                    remedy: "let the code listen on another port")
            }
        }
    }

    private static func refuseWhatIsToCome(_ spec: PipelineSpec) throws(SpileError) {
        if spec.kind == .spout, spec.input != nil {
            throw SpileError(
                .unimplemented, "spouts with an input are not implemented yet",
                remedy: "leave out `spout`, and the code runs for each commit of its input")
        }
        if spec.kind == .transform, spec.input == nil {
            throw SpileError.invalid(
                "pipeline \(spec.key) has no input",
                remedy: "give it an input, or a cmd and a spout if it reads from outside")
        }
        if try spec.egressURL != nil, spec.kind == .service {
            throw SpileError(
                .unimplemented, "egress of services is not implemented yet", remedy: "write from the code itself")
        }
        if spec.s3Out { throw SpileError(.unimplemented, "s3_out is not implemented yet", remedy: "write to /pfs/out") }
        // What no launch could lay out.
        for leaf in try spec.inputLeaves { try LaidInput.check(name: leaf.name) }
        if let input = spec.input { _ = try DatumPlan(try InputTree(input, of: spec.key)) }
        if let leaf = try spec.inputLeaves.first(where: \.isS3) {
            throw SpileError(.unimplemented, "input \(leaf.name): s3 inputs are not implemented yet")
        }
        if spec.kind == .service, spec.input == nil {
            throw SpileError.invalid(
                "service pipeline \(spec.key) has no input", remedy: "code that reads none is a spout with a service")
        }
        if spec.specCommit != nil {
            throw SpileError(.unimplemented, "restoring a pipeline from its spec_commit is not implemented yet")
        }
    }

    private static func makeRepos(of spec: PipelineSpec, in transaction: HistoryTransaction) throws {
        let key = spec.key
        try transaction.createRepo(
            key.repo(.user), description: "Output repo for pipeline \(key).", update: true)
        try transaction.createRepo(key.repo(.spec), description: "Spec repo for pipeline \(key).", update: true)
        if spec.kind == .transform {
            try transaction.createRepo(key.repo(.meta), description: "Meta repo for pipeline \(key).", update: true)
        }
    }

    /// An empty commit in the spec repo stands for the version; the spec itself is in the catalog.
    private static func commitSpec(of key: PipelineKey, in transaction: HistoryTransaction) throws -> CommitID {
        let branch = key.repo(.spec).branch(SpecDefaults.outputBranch)
        let commit = try transaction.startCommit(on: branch, parent: nil, description: "")
        return try transaction.finishCommit(
            CommitHandle(commit.key), description: "", error: "", force: true
        ).key.id
    }

    private static func record(
        _ spec: PipelineSpec, _ request: PipelineRequest, old: PipelineRecord?, specCommit: CommitID,
        in transaction: HistoryTransaction
    ) -> PipelineRecord {
        let isStopped = old?.stopped ?? false
        var salt = spec.salt.isEmpty ? old?.salt ?? "\(specCommit)" : spec.salt
        // The commit's id is fresh and random: as good a salt as any.
        if request.reprocess { salt = "\(specCommit)" }
        return PipelineRecord(
            key: spec.key, version: (old?.version ?? 0) + 1, specCommit: specCommit, kind: spec.kind,
            state: isStopped ? .paused : .starting, stopped: isStopped, parallelism: max(1, spec.parallelism),
            salt: salt, userSpec: request.spec, effectiveSpec: spec.json.text,
            createdAt: old?.createdAt ?? transaction.now, updatedAt: transaction.now,
            createdBy: old?.createdBy ?? author(transaction.principal), metadata: old?.metadata ?? [:])
    }

    static func killer(_ principal: Principal) -> String {
        let name = author(principal)
        return name.isEmpty ? "unknown_username" : name
    }

    private static func author(_ principal: Principal) -> String {
        switch principal {
        case .user, .subject: principal.name
        case .server, .launch, .stranger: ""
        }
    }
}
