import API
import Core
import GRPCCore
import Pipelines
import SwiftProtobuf
import Versioning

/// Carries requests out at once or, where the call names a transaction, appends them to it (`pfs.md` §5).
struct Transactions: Sendable {
    let history: History
    let pipelines: PipelineManager

    /// What a request gives: at once, or as its trial run in a transaction foretells.
    @discardableResult
    func perform(_ request: TransactionV2_TransactionRequest, _ call: Call) async throws -> TransactionStep.Outcome {
        if let id = try call.transactionID() {
            guard call.terms.isEmpty else { throw Self.termsInTransaction(id) }
            return try await append(request, to: id, call)
        }
        let step = try TransactionStep(request, pipelines, history, as: call.principal, call.terms)
        let outcome = try await history.transact(as: call.principal) { try step.run(in: $0) }
        if let pipeline = step.pipeline { pipelines.changed(pipeline) }
        return outcome
    }

    /// Appends a request, if all requests together still go through. Another that gets in between is no error: the
    /// requests are read and tried again, a few times.
    func append(
        _ request: TransactionV2_TransactionRequest, to id: CommitID, _ call: Call
    ) async throws -> TransactionStep.Outcome {
        for _ in 0..<Self.appendRetries {
            do { return try await appendOnce(request, to: id, call) } catch let error as SpileError
            where error.code == .aborted { continue }
        }
        return try await appendOnce(request, to: id, call)
    }

    private static let appendRetries = 10

    private func appendOnce(
        _ request: TransactionV2_TransactionRequest, to id: CommitID, _ call: Call
    ) async throws -> TransactionStep.Outcome {
        let known = try history.read { try $0.existingTransaction(id) }
        var info = try TransactionV2_TransactionInfo(known)
        info.requests.append(request)
        let steps = try steps(of: info.requests, call)
        let requests = info
        let outcomes = try await history.rehearse(id, as: call.principal) { record, transaction in
            guard record == known else { throw Self.changed(id) }
            let outcomes = try Self.run(steps, in: transaction)
            var next = record
            var info = requests
            info.responses = outcomes.map(Self.response)
            next.requests = try Self.bytes(info, \.requests)
            next.responses = try Self.bytes(info, \.responses)
            return (next, outcomes)
        }
        guard var outcome = outcomes.last else { throw SpileError.bug("a transaction without steps was rehearsed") }
        // Whether there is a repo to delete is known for certain only at the end: callers are told that it goes.
        outcome.deleted = true
        return outcome
    }

    private static func changed(_ id: CommitID) -> SpileError {
        SpileError(
            .aborted, "transaction could not be modified due to concurrent modifications: \(id)",
            remedy: "append one request after the other, then retry")
    }

    /// What a transaction collects are messages: headers would be lost.
    private static func termsInTransaction(_ id: CommitID) -> SpileError {
        .invalid(
            "transaction \(id) takes no commit metadata, idempotency key or expected head",
            remedy: "make the call outside of it, or leave the headers out")
    }

    /// Carries out a stored transaction.
    func finish(_ id: CommitID, _ call: Call) async throws -> TransactionV2_TransactionInfo {
        let known = try history.read { try $0.existingTransaction(id) }
        var info = try TransactionV2_TransactionInfo(known)
        let steps = try steps(of: info.requests, call)
        let (_, outcomes) = try await history.finishTransaction(id, as: call.principal) { record, transaction in
            guard record == known else { throw Self.changed(id) }
            return try Self.run(steps, in: transaction)
        }
        for step in steps { if let pipeline = step.pipeline { pipelines.changed(pipeline) } }
        info.responses = outcomes.map(Self.response)
        return info
    }

    /// Carries out requests together that are stored nowhere.
    func batch(
        _ requests: [TransactionV2_TransactionRequest], _ call: Call
    ) async throws -> TransactionV2_TransactionInfo {
        let steps = try steps(of: requests.map(\.asSent), call)
        let (id, now, outcomes) = try await history.transact(as: call.principal) {
            ($0.id, $0.now, try Self.run(steps, in: $0))
        }
        for step in steps { if let pipeline = step.pipeline { pipelines.changed(pipeline) } }
        return .with {
            $0.transaction.id = id.description
            $0.requests = requests
            $0.responses = outcomes.map(Self.response)
            $0.started = now.message
            $0.version = UInt64(requests.count)
        }
    }

    private func steps(of requests: [TransactionV2_TransactionRequest], _ call: Call) throws -> [TransactionStep] {
        try requests.enumerated().map { index, request in
            try Self.named(index, requests.count) {
                try TransactionStep(request, pipelines, history, as: call.principal)
            }
        }
    }

    private static func run(
        _ steps: [TransactionStep], in transaction: HistoryTransaction
    ) throws -> [TransactionStep.Outcome] {
        try steps.enumerated().map { index, step in try named(index, steps.count) { try step.run(in: transaction) } }
    }

    private static func named<Result>(_ index: Int, _ count: Int, _ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as SpileError {
            throw error.wrapped("error running request \(index + 1) of \(count)")
        }
    }

    private static func response(_ outcome: TransactionStep.Outcome) -> TransactionV2_TransactionResponse {
        .with { if let commit = outcome.commit { $0.commit = commit } }
    }

    /// One list of an info alone, as bytes: the same encoding reads it back.
    private static func bytes<Item>(
        _ info: TransactionV2_TransactionInfo, _ list: WritableKeyPath<TransactionV2_TransactionInfo, [Item]>
    ) throws -> [UInt8] {
        var part = TransactionV2_TransactionInfo()
        part[keyPath: list] = info[keyPath: list]
        return try part.serializedBytes()
    }
}

extension TransactionV2_TransactionRequest {
    /// Without what only the server fills in. An effective spec of the caller's own would stand beside a user spec that
    /// says otherwise, and come into force by the authority of whoever regenerates the pipeline.
    fileprivate var asSent: Self {
        guard hasCreatePipelineV2 else { return self }
        var result = self
        result.createPipelineV2.effectiveJson = ""
        return result
    }
}

extension TransactionV2_TransactionInfo {
    init(_ record: TransactionRecord) throws {
        self.init()
        try merge(serializedBytes: record.requests)
        try merge(serializedBytes: record.responses)
        transaction.id = record.id.description
        started = record.startedAt.message
        version = UInt64(requests.count)
    }
}

extension Call {
    /// The transaction that the call belongs to. A header without a value means none: a client that has left a
    /// transaction goes on sending it.
    func transactionID() throws -> CommitID? {
        let ids = metadata[stringValues: "pach-transaction"].filter { !$0.isEmpty }
        if Set(ids).count > 1 { throw SpileError.invalid("multiple active transactions found: \(Array(Set(ids)))") }
        guard let text = ids.first else { return nil }
        guard let id = CommitID(text) else { throw SpileError.transactionNotFound(text) }
        return id
    }
}
