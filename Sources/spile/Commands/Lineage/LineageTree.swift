import API

/// A lineage as lines of text: each node below the one that it was reached from, the first time it comes up.
struct LineageTree {
    private let isForward: Bool
    /// What of this project is told without it.
    private let project: String
    private var nodes: [UInt64: Spile_V1_LineageNode] = [:]
    /// From a node to those that stand below it.
    private var below: [UInt64: [(node: UInt64, input: String)]] = [:]

    init(isForward: Bool, project: String) {
        self.isForward = isForward
        self.project = project
    }

    mutating func add(_ response: Spile_V1_TraceResponse) {
        switch response.message {
        case .node(let node): nodes[node.number] = node
        case .edge(let edge):
            let (upper, lower) = isForward ? (edge.upstream, edge.downstream) : (edge.downstream, edge.upstream)
            below[upper, default: []].append((lower, edge.input))
        case .summary, nil: break
        }
    }

    /// Hands the lines over one by one; the first node is the file that was asked about.
    func write(_ line: (String) throws -> Void) throws {
        guard let root = nodes[1] else { return }
        try line(text(root, input: ""))
        for detail in details(root) { try line((below[1] == nil ? "    " : "|   ") + detail) }
        var shown: Set<UInt64> = [1]
        // By hand, not by recursion: lineages may be deep.
        var open = [(children: below[1] ?? [], next: 0, indent: "")]
        while let last = open.indices.last {
            let (children, next, indent) = open[last]
            guard next < children.count else {
                open.removeLast()
                continue
            }
            open[last].next += 1
            guard let node = nodes[children[next].node] else { continue }
            let isLast = next == children.count - 1
            let isNew = shown.insert(node.number).inserted
            try line(
                indent + (isLast ? "`-- " : "|-- ") + text(node, input: children[next].input) + (isNew ? "" : " ^"))
            guard isNew else { continue }
            let inner = indent + (isLast ? "    " : "|   ")
            let inside = below[node.number] ?? []
            for detail in details(node) { try line(inner + (inside.isEmpty ? "    " : "|   ") + detail) }
            open.append((inside, 0, inner))
        }
    }

    private func text(_ node: Spile_V1_LineageNode, input: String) -> String {
        switch node.kind {
        case .file(let file):
            let name = file.file.commit.repo.name
            let label = !isForward && !input.isEmpty && input != name ? "\(input): " : ""
            return label + reference(file.file.commit) + ":" + file.file.path
        case .datum(let datum):
            let job = "\(home(datum.job.pipeline.project.name))\(datum.job.pipeline.name)@\(datum.job.id)"
            let state =
                switch datum.state {
                case .failed: ", failed"
                case .recovered: ", recovered"
                default: ""
                }
            return "datum \(datum.id) of job \(job)\(state)"
        case nil: return "?"
        }
    }

    /// What stands below a source file's line.
    private func details(_ node: Spile_V1_LineageNode) -> [String] {
        guard case .file(let file) = node.kind else { return [] }
        var lines = file.problem.isEmpty ? [] : [file.problem]
        guard file.hasSource else { return lines }
        let source = file.source
        let time = TimeStyle(full: true).text(source.started, if: source.hasStarted)
        let writer = source.hasSpout ? "spout \(home(source.spout.project.name))\(source.spout.name), " : ""
        if source.isSearchCutOff {
            lines.append("\(writer)last changed long before \(source.commit.id) of \(time)")
        } else if source.commit.id == file.file.commit.id {
            lines.append("\(writer)written \(time)")
        } else {
            lines.append("\(writer)written \(time) in commit \(source.commit.id)")
        }
        for (key, value) in source.metadata.sorted(by: { $0.key < $1.key }) {
            lines.append(PositionCommand.line(key) + "=" + PositionCommand.line(value))
        }
        return lines
    }

    private func reference(_ commit: PfsV2_Commit) -> String {
        let type = commit.repo.type == "user" ? "" : "." + commit.repo.type
        return "\(home(commit.repo.project.name))\(commit.repo.name)\(type)@\(commit.id)"
    }

    private func home(_ project: String) -> String { project == self.project ? "" : project + "/" }
}
