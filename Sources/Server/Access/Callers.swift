import Core
import GRPCCore
import Pipelines
import Storage
import Versioning

/// Finds out who calls, from the metadata of a call (`clients.md` §1.1), and whether he may (``CallRules``). The one
/// place where callers are let in.
struct Callers: Sendable {
    let history: History
    let watch: SpoutWatch

    func call(_ metadata: Metadata, for method: MethodDescriptor, under rule: CallRule?) throws -> Call {
        var call = Call(
            principal: .stranger, metadata: metadata, terms: try WriteHeaders.terms(metadata, for: method))
        guard let rule else {
            throw SpileError(
                .permissionDenied, "nobody is authorized to perform this operation: \(method) has no rule",
                remedy: "please report this")
        }
        // Once for each call: what is found out about it is true of one moment.
        let isOn = history.isAuthOn
        if rule == .open {
            do { call.principal = try principal(metadata, isOn) } catch let error as SpileError {
                call.whyStranger = error
            }
        } else {
            call.principal = try admitted(try principal(metadata, isOn), rule, isOn)
        }
        return call
    }

    /// Checks that a call is still let in, and as the same caller. A launch is fenced where it writes, by its number.
    func confirm(
        _ known: Principal, _ metadata: Metadata, for method: MethodDescriptor, under rule: CallRule?
    ) throws {
        if case .launch = known { return }
        guard try call(metadata, for: method, under: rule).principal == known else {
            throw SpileError(
                .unauthenticated, "authentication was turned on or off while \(method) was under way",
                remedy: "make the call again")
        }
    }

    /// Runs what a call asks for; whoever watches a spout hears where its code is refused a write.
    func noting<Result>(
        _ call: Call, _ method: MethodDescriptor, _ body: () async throws -> Result
    ) async throws -> Result {
        do { return try await body() } catch {
            note(error, call, method)
            throw error
        }
    }

    private func note(_ error: any Error, _ call: Call, _ method: MethodDescriptor) {
        guard case .launch(let pipeline, let epoch) = call.principal, WriteHeaders.methods.contains(method),
            let error = error as? SpileError
        else { return }
        watch.refused(pipeline, epoch: epoch, error.description)
    }

    /// The same for plain HTTP: by the token, if there is one, under the rule of a call.
    func principal(token: String?, under rule: CallRule) throws -> Principal {
        let isOn = history.isAuthOn
        return try admitted(try principal(token.map { [$0] } ?? [], isOn), rule, isOn)
    }

    private func admitted(_ principal: Principal, _ rule: CallRule, _ isOn: Bool) throws -> Principal {
        switch rule {
        case .open, .anyone: return principal
        case .member: if !isOn { throw SpileError.authIsOff }
        case .authority(let permission):
            if !isOn { throw SpileError.authIsOff }
            try history.read { try $0.require([permission], on: .cluster, by: principal) }
        case .entrusted(let permission):
            if isOn { try history.read { try $0.require([permission], on: .cluster, by: principal) } }
        }
        return principal
    }

    private func principal(_ metadata: Metadata, _ isOn: Bool) throws -> Principal {
        try principal(Array(metadata[stringValues: Self.header]), isOn)
    }

    /// Where authentication is off a token that is not a launch's is ignored. An outdated launch's is refused always,
    /// so that code which outlived its launch cannot go on as somebody else.
    private func principal(_ sent: [String], _ isOn: Bool) throws -> Principal {
        guard let token = sent.first, !token.isEmpty || sent.count > 1 else {
            if isOn { throw SpileError.noToken }
            return .user("")
        }
        if isOn, sent.count > 1 {
            throw SpileError(
                .unauthenticated, "more than one \(Self.header) was sent", remedy: "send the one that is good")
        }
        if token.hasPrefix(Principal.launchTokenPrefix) { return try launch(token) }
        return isOn ? .subject(try history.tokenRecord(token).subject) : .user("")
    }

    private func launch(_ token: String) throws -> Principal {
        let hash = Hashing.sha256(Array(token.utf8))
        guard let launch = try history.read({ try $0.launch(tokenHash: hash) }) else {
            throw SpileError(
                .unauthenticated, "provided auth token is corrupted or has expired: its launch was replaced or stopped")
        }
        return .launch(launch.pipeline, epoch: launch.epoch)
    }

    static let header = "authn-token"
}

extension Call {
    /// Whom the token stands for. Throws ``SpileError/authIsOff``, or why there is nobody.
    func subject() throws -> Subject {
        switch principal {
        case .subject(let subject): return subject
        case .launch(let pipeline, _): return Subject(pipeline)
        case .stranger: throw whyStranger ?? SpileError.noToken
        case .server, .user: throw SpileError.authIsOff
        }
    }
}
