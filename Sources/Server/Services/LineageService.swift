import API
import Core
import GRPCCore
import Pipelines
import Versioning

/// `spile.v1.Lineage`: what files were made of, and what was made of them.
struct LineageService: Sendable {
    let history: History

    func register(in routes: inout Routes) {
        routes.serverStream(Spile_V1_Lineage.Method.Trace.descriptor) {
            (request: Spile_V1_TraceRequest, call, writer: RPCWriter<Spile_V1_TraceResponse>) in
            // That the caller may read the file's own repo is checked at the door (ReadsRepos).
            guard request.hasFile, request.file.hasCommit else {
                throw SpileError.invalid("the request names no file", remedy: "set file.commit and file.path")
            }
            let query = Lineage.Query(
                file: FileReference(
                    commit: try CommitHandle(request.file.commit), path: request.file.path, datum: request.file.datum),
                isForward: request.forward, mostNodes: Int(clamping: request.maxNodes),
                depth: Int(clamping: request.maxDepth))
            var filter = RepoFilter(history, call.principal, .repoRead)
            try await Lineage(history: history).trace(query, sees: { try filter.accepts($0) }) { event in
                try await writer.write(event.message)
            }
        }
    }
}

extension Lineage.Event {
    fileprivate var message: Spile_V1_TraceResponse {
        .with {
            switch self {
            case .file(let number, let file):
                $0.node.number = UInt64(number)
                $0.node.file = file.message
            case .datum(let number, let datum):
                $0.node.number = UInt64(number)
                $0.node.datum = datum.message
            case .edge(let upstream, let downstream, let input):
                $0.edge.upstream = UInt64(upstream)
                $0.edge.downstream = UInt64(downstream)
                $0.edge.input = input
            case .end(let summary):
                $0.summary.nodes = UInt64(summary.nodes)
                $0.summary.edges = UInt64(summary.edges)
                $0.summary.hidden = UInt64(summary.hidden)
                $0.summary.isCutOff = summary.isCutOff
            }
        }
    }
}

extension Lineage.File {
    fileprivate var message: Spile_V1_LineageFile {
        .with {
            $0.file.commit = commit.message
            $0.file.path = path
            $0.sizeBytes = size
            if let source { $0.source = source.message }
            $0.problem = problem
        }
    }
}

extension Lineage.Source {
    fileprivate var message: Spile_V1_LineageSource {
        .with {
            $0.commit = commit.message
            $0.started = started.message
            $0.metadata = metadata
            if let spout { $0.spout = spout.message }
            $0.isSearchCutOff = isSearchCutOff
        }
    }
}

extension Lineage.Datum {
    fileprivate var message: Spile_V1_LineageDatum {
        .with {
            $0.job = job.message
            $0.id = "\(id)"
            $0.state =
                switch state {
                case .processed: .success
                case .failed: .failed
                case .recovered: .recovered
                }
        }
    }
}
