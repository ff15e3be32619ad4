import Core
import Logging

/// Lets one of several servers do what only one may do.
package struct KubernetesLeader: Sendable {
    private let client: KubernetesClient
    private let name: String
    private let identity: String
    private let terms: LeaseElection.Terms
    private let logger: Logger

    /// `name`: the Lease's. `identity`: unlike any other server's and any other life's of this one, such as the pod's
    /// name with something random behind it.
    package init(
        client: KubernetesClient, name: String, identity: String, terms: LeaseElection.Terms = .init(), logger: Logger
    ) {
        self.client = client
        self.name = name
        self.identity = identity
        self.terms = terms
        self.logger = logger
    }

    /// Waits until this server leads, and runs `body` while it does. Its task is cancelled when the lead is lost, and
    /// it has to stop within `duration - deadline` seconds from then: another server may begin after that.
    ///
    /// Gives what `body` returns, having given up the lead; nil where the lead was lost before it ended: call again to
    /// stand again. Throws what `body` throws, and `CancellationError`. Failures of the API server are waited out.
    package func lead<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value? {
        var election = LeaseElection(identity: identity, terms: terms)
        while !election.isLeader(at: client.time.monotonic()) {
            await step(&election)
            if election.isLeader(at: client.time.monotonic()) { break }
            try await client.time.sleep(terms.period * (0.8 + 0.4 * client.time.randomness.fraction()))
        }
        logger.notice("leading", metadata: ["lease": "\(name)"])
        let elected = election
        let first = await withTaskGroup(of: Result<Value?, any Error>.self) { group in
            group.addTask { await Result { try await body() } }
            group.addTask { await Result { try await renew(elected) } }
            let first = await group.next() ?? .failure(CancellationError())
            group.cancelAll()
            // Until the body has stopped, another one could run beside it.
            await group.waitForAll()
            return first
        }
        if case .success(nil) = first {
            logger.warning("the lead is lost", metadata: ["lease": "\(name)"])
            return nil
        }
        await release()
        return try first.get()
    }

    /// Returns nil when the lead is lost.
    private func renew<Value>(_ elected: LeaseElection) async throws -> Value? {
        var election = elected
        while true {
            let rest = election.remaining(at: client.time.monotonic())
            if rest <= 0 { return nil }
            try await client.time.sleep(min(terms.period, rest))
            // A call that hangs must not outlast the lead: it is raced by what remains of it.
            let remaining = election.remaining(at: client.time.monotonic())
            if remaining <= 0 { return nil }
            let before = election
            let after = try await withThrowingTaskGroup(of: LeaseElection?.self) { group in
                group.addTask {
                    var election = before
                    await step(&election)
                    return election
                }
                group.addTask {
                    try await client.time.sleep(remaining)
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            guard let after else { return nil }
            election = after
        }
    }

    /// One look, and one try to write where that is due.
    private func step(_ election: inout LeaseElection) async {
        do {
            let found: JSONValue?
            do { found = try await client.get(.lease, name) } catch let error as SpileError
                where error.code == .notFound
            { found = nil }
            let step = election.read(found.map(LeaseRecord.init), at: client.time.monotonic())
            if step == .wait { return }
            let sent = client.time.monotonic()
            let written = try await write(election, found)
            election.wrote(LeaseRecord(written), sent: sent, at: client.time.monotonic())
        } catch let error as SpileError where [.aborted, .alreadyExists].contains(error.code) {
            // Somebody was faster. Who, the next look tells.
            return
        } catch {
            logger.warning("cannot see to the lead", metadata: ["lease": "\(name)", "error": "\(error)"])
        }
    }

    private func write(_ election: LeaseElection, _ found: JSONValue?) async throws -> JSONValue {
        let spec = election.spec(over: found.map(LeaseRecord.init), found, at: client.time.clock.now())
        guard let found else {
            return try await client.create(
                .lease,
                [
                    "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": .string(name)],
                    "spec": spec,
                ])
        }
        return try await client.update(.lease, found.merged(with: ["spec": spec]))
    }

    /// Lets the next server begin at once. No child task: it has to be done also where this one is cancelled.
    private func release() async {
        await Task {
            guard let found = try? await client.get(.lease, name), LeaseRecord(found).holder == identity else { return }
            _ = try? await client.update(.lease, found.merged(with: ["spec": ["holderIdentity": ""]]))
        }.value
    }
}

extension Result where Failure == any Error {
    /// The outcome of something that may wait.
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
