import Core

/// Explicit transactions (`pfs.md` §5): requests are collected, each tried out with those before it, and carried out
/// all at once. What a request is and does is the caller's business; here is where it is kept and when it takes effect.
extension History {
    /// Opens an empty transaction.
    package func startTransaction(as principal: Principal) async throws -> TransactionRecord {
        try await transact(as: principal) { transaction in
            try transaction.refuseLaunches("it may not start transactions")
            let record = TransactionRecord(
                id: transaction.id, startedAt: transaction.now, owner: transaction.principal.name)
            try transaction.catalog.put(record)
            return record
        }
    }

    /// Runs `body` as the transaction `id` would run, takes back whatever it did, and keeps the record it returns.
    /// Throws what `body` throws, and then the record stays as it was.
    package func rehearse<Result: Sendable>(
        _ id: CommitID, as principal: Principal,
        _ body: @escaping @Sendable (TransactionRecord, HistoryTransaction) throws -> (TransactionRecord, Result)
    ) async throws -> Result {
        try await transact(as: principal) { outer in
            try outer.refuseLaunches("it may not add to transactions")
            let record = try outer.catalog.existingTransaction(id)
            try outer.checkOwner(of: record)
            do {
                try outer.catalog.savepoint {
                    throw Rehearsed(outcome: try outer.within(id: id) { try body(record, $0) })
                }
            } catch let rehearsed as Rehearsed<(TransactionRecord, Result)> {
                // What was noted of heads is of commits that are not there.
                outer.heads.takeBack(repos: outer.touchedRepos)
                outer.touchedRepos = []
                try outer.catalog.put(rehearsed.outcome.0)
                return rehearsed.outcome.1
            }
            throw SpileError.bug("a rehearsal ended without its outcome")
        }
    }

    /// Carries out the transaction `id`: `body` runs as its commit set, and the record goes.
    package func finishTransaction<Result: Sendable>(
        _ id: CommitID, as principal: Principal,
        _ body: @escaping @Sendable (TransactionRecord, HistoryTransaction) throws -> Result
    ) async throws -> (TransactionRecord, Result) {
        try await transact(as: principal) { outer in
            try outer.refuseLaunches("it may not finish transactions")
            let record = try outer.catalog.existingTransaction(id)
            try outer.checkOwner(of: record)
            let result = try outer.within(id: id) { try body(record, $0) }
            try outer.catalog.deleteTransaction(id)
            return (record, result)
        }
    }

    /// Forgets a transaction with all it collected.
    package func deleteTransaction(_ id: CommitID, as principal: Principal) async throws {
        try await transact(as: principal) { outer in
            try outer.refuseLaunches("it may not delete transactions")
            let record = try outer.catalog.existingTransaction(id)
            if !outer.isOwner(of: record) { try outer.require(.clusterDeleteAll, on: .cluster) }
            try outer.catalog.deleteTransaction(id)
        }
    }

    package func deleteTransactions(as principal: Principal) async throws {
        try await transact(as: principal) { outer in
            try outer.refuseLaunches("it may not delete transactions")
            try outer.catalog.deleteTransactions()
        }
    }
}

extension HistoryTransaction {
    fileprivate func isOwner(of record: TransactionRecord) -> Bool {
        guard case .subject(let subject) = principal else { return true }
        return record.owner == subject.description
    }

    /// Where authentication is on only who started a transaction adds to it and finishes it: what others put into it
    /// would be done by his authority.
    fileprivate func checkOwner(of record: TransactionRecord) throws {
        guard case .subject(let subject) = principal, !isOwner(of: record) else { return }
        throw SpileError(
            .permissionDenied,
            "\(subject) is not authorized to perform this operation: transaction \(record.id) is somebody else's",
            remedy: "start one of your own")
    }
}

/// Carries the outcome of a rehearsal past the point where its changes vanish.
private struct Rehearsed<Outcome>: Error, @unchecked Sendable {
    // Unchecked: thrown and caught on the committer's thread, within one call.
    let outcome: Outcome
}

extension CatalogReader {
    package func existingTransaction(_ id: CommitID) throws -> TransactionRecord {
        guard let record = try transaction(id) else { throw SpileError.transactionNotFound("\(id)") }
        return record
    }
}

extension SpileError {
    /// `id` as the caller gave it, which need not be an id.
    package static func transactionNotFound(_ id: String) -> SpileError {
        .notFound("transactions \(id) not found", remedy: "forget it, for example with: pachctl stop transaction")
    }
}
