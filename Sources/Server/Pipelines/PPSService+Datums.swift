import API
import Core
import GRPCCore
import Pipelines
import SwiftProtobuf
import Versioning

/// Datums, of jobs and of inputs (`pps.md` §9, §11).
extension PPSService {
    func registerDatums(in routes: inout Routes) {
        routes.unary(Method.InspectDatum.descriptor) { (request: PpsV2_InspectDatumRequest, call) in
            guard request.hasDatum else { throw SpileError.domain("must specify a datum") }
            let key = try Self.job(request.datum.hasJob, request.datum.job)
            let datums = try JobDatums(of: key, in: history, progress, as: call.principal)
            return try datums.datum(request.datum.id).message
        }
        routes.serverStream(Method.ListDatum.descriptor) { (request: PpsV2_ListDatumRequest, call, writer) in
            let listing = try DatumListing(
                states: Set(request.filter.state.compactMap { DatumView.State(rawValue: $0.rawValue) }),
                marker: request.paginationMarker, number: request.number, isReverse: request.reverse)
            switch (request.hasJob, request.hasInput) {
            case (true, true): throw SpileError.domain("cannot specify both job and input")
            case (false, false): throw SpileError.domain("must specify a job or an input")
            case (true, false):
                let key = try Self.job(true, request.job)
                try await JobDatums(of: key, in: history, progress, as: call.principal)
                    .list(listing) { try await writer.write($0.message) }
            case (false, true):
                try await InputDatums(try Self.json(request.input), in: history)
                    .list(listing) { try await writer.write($0.message) }
            }
        }
        routes.unary(Method.RestartDatum.descriptor) { (request: PpsV2_RestartDatumRequest, call) in
            try await jobs.restartDatums(
                of: try Self.job(request.hasJob, request.job), matching: request.dataFilters, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.bidirectional(Method.CreateDatum.descriptor) {
            (messages: RPCAsyncSequence<PpsV2_CreateDatumRequest, any Error>, call, writer) in
            try await createDatums(messages, call, writer)
        }
    }

    /// Gives the datums of an input in batches, each when it is asked for. Ends when there are no more, or the caller
    /// asks for none.
    private func createDatums(
        _ messages: RPCAsyncSequence<PpsV2_CreateDatumRequest, any Error>, _ call: Call,
        _ writer: RPCWriter<PpsV2_DatumInfo>
    ) async throws {
        var requests = messages.makeAsyncIterator()
        guard let first = try await requests.next() else { return }
        guard case .start(let start) = first.body, start.hasInput else {
            throw SpileError.invalid("the first message of CreateDatum has to be start, with an input")
        }
        try call.confirm()
        try call.checkReader(of: start, history)
        var left = try Self.batch(start.number)
        try await InputDatums(try Self.json(start.input), in: history).each { datum in
            if left == 0 {
                guard let next = try await requests.next() else { return false }
                guard case .continue(let request) = next.body else {
                    throw SpileError.invalid("after the first message CreateDatum takes only continue")
                }
                try call.confirm()
                left = try Self.batch(request.number)
            }
            try await writer.write(datum.message)
            left -= 1
            return true
        }
    }

    private static func batch(_ number: Int32) throws(SpileError) -> Int32 {
        if number < 0 { throw .invalid("number must not be negative") }
        return number == 0 ? 100 : number
    }

    private static func json(_ input: PpsV2_Input) throws -> JSONValue {
        try SpecDocument.plainJSON(try input.jsonString())
    }
}

extension PpsV2_ListDatumRequest: ReadsRepos {
    /// Those of a job are the handler's to find.
    var readRepos: [PfsV2_Repo?] { hasInput ? input.repos : [] }
}

extension PpsV2_StartCreateDatumRequest: ReadsRepos {
    var readRepos: [PfsV2_Repo?] { input.repos }
}

extension PpsV2_Input {
    fileprivate var repos: [PfsV2_Repo] {
        let own: [PfsV2_Repo] = hasPfs
            ? [
                .with {
                    $0.project.name = pfs.project
                    $0.name = pfs.repo
                    $0.type = pfs.repoType
                }
            ] : []
        return own + (cross + union + join + group).flatMap(\.repos)
    }
}
