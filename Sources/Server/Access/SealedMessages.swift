import Core
import Foundation
import SwiftProtobuf
import Versioning

/// Messages about logins that hold secrets of others: each sealed, in a setting of the catalog.
struct SealedMessages: Sendable {
    let history: History
    let sealer: any Sealer

    /// Nil where there is none.
    func message<Content: Message>(_ place: SealedSetting, _: Content.Type = Content.self) throws -> Content? {
        try content(of: history.read { try $0.sealed(place) }, place)
    }

    /// Changes what is kept at a place, from an empty message where nothing is; one that is empty then is taken away.
    /// Who changes it at the same time is not overtaken: the change is made again.
    func change<Content: Message & Equatable>(
        _ place: SealedSetting, _ permission: Permission, as principal: Principal,
        _ change: (inout Content) throws -> Void
    ) async throws {
        for _ in 0..<10 {
            let (known, isFirst) = try history.read { (try $0.sealed(place), try !$0.hasSealed()) }
            var content: Content = try self.content(of: known, place) ?? Content()
            try change(&content)
            let next = content == Content() ? nil : try sealed(content, place, isFirst)
            let isMade = try await history.transact(as: principal) { transaction in
                try transaction.require(permission, on: .cluster)
                guard try transaction.catalog.sealed(place) == known else { return false }
                try transaction.catalog.setSealed(place, to: next)
                return true
            }
            if isMade { return }
        }
        throw SpileError(.aborted, "others keep changing the same thing", remedy: "retry")
    }

    private func content<Content: Message>(of text: String?, _ place: SealedSetting) throws -> Content? {
        guard let text else { return nil }
        guard let sealed = Data(base64Encoded: text) else {
            throw SpileError(.dataLoss, "setting \(place.rawValue) in the catalog cannot be read")
        }
        return try Content(serializedBytes: try sealer.open([UInt8](sealed), binding: place.binding))
    }

    private func sealed(_ content: some Message, _ place: SealedSetting, _ isFirst: Bool) throws -> String {
        let sealed = try sealer.seal(
            try content.serializedBytes(), binding: place.binding, mayMakeKey: isFirst)
        return Data(sealed).base64EncodedString()
    }
}
