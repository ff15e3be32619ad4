extension PipelineSpec {
    /// The same spec with the repo, the project and the start of each cron input spelled out (`pps.md` §1.4).
    ///
    /// An input that names no start keeps the one that `old`, the version before, has for the same repo and schedule:
    /// so an update neither loses a tick that is due nor puts off the next one. Any other begins at `now`.
    package func spellingOutCrons(since old: PipelineSpec?, now: Instant) throws(SpileError) -> PipelineSpec {
        let leaves = try inputLeaves
        guard leaves.contains(where: { $0.schedule != nil }), let input = json["input"] else { return self }
        let filler = CronFiller(pipeline: key, known: try old?.inputLeaves ?? [], now: now)
        return PipelineSpec(
            .object(json.members.map { $0.name == "input" ? JSONMember($0.name, filler.filled(input)) : $0 }))
    }
}

private struct CronFiller {
    let pipeline: PipelineKey
    let known: [InputLeaf]
    let now: Instant

    func filled(_ input: JSONValue) -> JSONValue {
        .object(
            input.members.map { member in
                if member.name == "cron" { return JSONMember(member.name, cron(member.value)) }
                guard InputSpec.Combination(rawValue: member.name) != nil else { return member }
                return JSONMember(member.name, .array(member.value.elements.map(filled)))
            })
    }

    private func cron(_ json: JSONValue) -> JSONValue {
        guard let leaf = try? InputTree(InputSpec(.object([JSONMember("cron", json)])), of: pipeline).leaves.first
        else { return json }
        let before = known.first { $0.branch == leaf.branch && $0.schedule == leaf.schedule }
        let start = leaf.start ?? before?.start ?? now
        return json.merged(
            with: .object([
                JSONMember("repo", .string(leaf.branch.repo.name)),
                JSONMember("project", .string(leaf.branch.repo.project.name)),
                JSONMember("start", .string(json["start"]?.string ?? SpecTimestamp.format(start))),
            ]))
    }
}
