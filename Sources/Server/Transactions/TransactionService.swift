import API
import Core
import GRPCCore
import SwiftProtobuf
import Versioning

/// `transaction_v2.API` (`pfs.md` §5.2).
struct TransactionService: Sendable {
    let transactions: Transactions
    private var history: History { transactions.history }

    typealias Method = TransactionV2_API.Method

    init(_ transactions: Transactions) { self.transactions = transactions }

    func register(in routes: inout Routes) {
        routes.unary(Method.StartTransaction.descriptor) { (_: TransactionV2_StartTransactionRequest, call) in
            let record = try await history.startTransaction(as: call.principal)
            return TransactionV2_Transaction.with { $0.id = record.id.description }
        }
        routes.unary(Method.InspectTransaction.descriptor) { (request: TransactionV2_InspectTransactionRequest, _) in
            let id = try Self.id(request.hasTransaction, request.transaction)
            return try TransactionV2_TransactionInfo(try history.read { try $0.existingTransaction(id) })
        }
        routes.unary(Method.ListTransaction.descriptor) { (_: TransactionV2_ListTransactionRequest, _) in
            let records = try history.read { try $0.transactions() }
            return try TransactionV2_TransactionInfos.with {
                $0.transactionInfo = try records.map { try TransactionV2_TransactionInfo($0) }
            }
        }
        routes.unary(Method.DeleteTransaction.descriptor) { (request: TransactionV2_DeleteTransactionRequest, call) in
            let id = try Self.id(request.hasTransaction, request.transaction)
            try await history.deleteTransaction(id, as: call.principal)
            return Google_Protobuf_Empty()
        }
        routes.unary(Method.FinishTransaction.descriptor) { (request: TransactionV2_FinishTransactionRequest, call) in
            try await transactions.finish(try Self.id(request.hasTransaction, request.transaction), call)
        }
        routes.unary(Method.BatchTransaction.descriptor) { (request: TransactionV2_BatchTransactionRequest, call) in
            try await transactions.batch(request.requests, call)
        }
        routes.unary(Method.DeleteAll.descriptor) { (_: TransactionV2_DeleteAllRequest, call) in
            try await history.deleteTransactions(as: call.principal)
            return Google_Protobuf_Empty()
        }
    }

    private static func id(_ isGiven: Bool, _ message: TransactionV2_Transaction) throws -> CommitID {
        guard isGiven else { throw SpileError.invalid("validate request: transaction is missing") }
        guard let id = CommitID(message.id) else { throw SpileError.transactionNotFound(message.id) }
        return id
    }
}
