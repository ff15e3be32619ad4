import Core

/// Who holds a Lease, as it stands there.
struct LeaseRecord: Sendable, Equatable {
    /// Empty where nobody does.
    var holder: String
    /// Seconds without a renewal after which others may take it.
    var seconds: Int64
    var transitions: Int64
    /// As written: no clock is compared with another machine's.
    var renewTime: String
    var resourceVersion: String

    init(_ lease: JSONValue) {
        holder = lease.at("spec", "holderIdentity")?.string ?? ""
        seconds = lease.at("spec", "leaseDurationSeconds")?.integer ?? 0
        transitions = lease.at("spec", "leaseTransitions")?.integer ?? 0
        renewTime = lease.at("spec", "renewTime")?.string ?? ""
        resourceVersion = lease.at("metadata", "resourceVersion")?.string ?? ""
    }
}

/// The choice of one server among several by a Lease, as a value: told what was read and written, it says what to do.
///
/// A holder is taken for gone when its record has not changed for the record's duration *by our own clock*: clocks of
/// different machines may differ by any amount. For that, each server's clock has to run at much the same speed. The
/// holder gives up by itself when it could not renew for ``Terms/deadline`` seconds, counted from before its last
/// renewal was sent; that is less than the duration, so that there are never two.
package struct LeaseElection: Sendable {
    package struct Terms: Sendable {
        /// Seconds without a renewal after which another server may lead.
        package var duration: Int64
        /// Seconds without a renewal after which the leader stops.
        package var deadline: Double
        /// Seconds between two looks, and between two renewals.
        package var period: Double

        /// `deadline` has to be less than `duration`, and a few times `period`.
        package init(duration: Int64 = 15, deadline: Double = 10, period: Double = 2) {
            precondition(Double(duration) > deadline && deadline > period && period > 0)
            self.duration = duration
            self.deadline = deadline
            self.period = period
        }
    }

    enum Step: Equatable {
        /// Make the Lease, which is not there.
        case create
        /// Write ourselves into the Lease that bears this version.
        case take(LeaseRecord)
        /// Look again after so many seconds.
        case wait
    }

    let identity: String
    let terms: Terms
    private var seen: LeaseRecord?
    private var seenAt = 0.0
    private var renewedAt: Double?

    package init(identity: String, terms: Terms = Terms()) {
        self.identity = identity
        self.terms = terms
    }

    /// Whether this server may act as the one that leads. Times are seconds of a clock that only goes forward.
    package func isLeader(at now: Double) -> Bool {
        renewedAt.map { (0..<terms.deadline).contains(now - $0) } ?? false
    }

    /// Seconds for which it may act on; 0 for none.
    package func remaining(at now: Double) -> Double {
        isLeader(at: now) ? terms.deadline - (now - (renewedAt ?? now)) : 0
    }

    /// What stands there, nil for no Lease; `now` is when the answer came.
    mutating func read(_ record: LeaseRecord?, at now: Double) -> Step {
        guard let record else {
            (seen, renewedAt) = (nil, nil)
            return .create
        }
        if record != seen { (seen, seenAt) = (record, now) }
        if record.holder == identity {
            // Ours. If we did not write it in this life, an earlier one did, or somebody who bears our name: then it
            // has to run out as any other's.
            if renewedAt != nil { return .take(record) }
        } else {
            renewedAt = nil
        }
        let isFree = record.holder.isEmpty || now - seenAt >= Double(max(record.seconds, 1))
        return isFree ? .take(record) : .wait
    }

    /// Our record was written; `sent` is when the call was made, `record` what stands there now.
    mutating func wrote(_ record: LeaseRecord, sent: Double, at now: Double) {
        (seen, seenAt) = (record, now)
        renewedAt = sent
    }

    /// The Lease's `spec` with ourselves in it, in place of what `old` says.
    func spec(over old: LeaseRecord?, _ json: JSONValue?, at wall: Instant) -> JSONValue {
        let time = JSONValue.string(Self.microTime(wall))
        let isRenewal = old?.holder == identity
        let transitions = (old?.transitions ?? 0) + (isRenewal || old == nil ? 0 : 1)
        return .present([
            "holderIdentity": .string(identity), "leaseDurationSeconds": .integer(terms.duration),
            "acquireTime": isRenewal ? json?.at("spec", "acquireTime") ?? time : time, "renewTime": time,
            "leaseTransitions": .integer(transitions),
        ])
    }

    /// Six decimals, neither more nor less.
    static func microTime(_ instant: Instant) -> String { SpecTimestamp.format(instant).prefix(26) + "Z" }
}
