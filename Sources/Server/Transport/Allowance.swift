import NIOCore

/// How often something may still happen: a stock of times that is used up and fills again with time.
package struct Allowance {
    private let capacity: Int
    private let refill: TimeAmount
    private var left: Int
    private var filled = NIODeadline.uptimeNanoseconds(0)

    /// A full stock of `capacity`; one more comes back each `refill`.
    package init(capacity: Int, refill: TimeAmount) {
        self.capacity = capacity
        self.refill = refill
        left = capacity
    }

    /// Uses one; false if there is none.
    package mutating func use(at now: NIODeadline) -> Bool {
        let returned = (now - filled).nanoseconds / refill.nanoseconds
        if returned >= capacity - left {
            left = capacity
            filled = now
        } else if returned > 0 {
            left += Int(returned)
            filled = filled + .nanoseconds(returned * refill.nanoseconds)
        }
        guard left > 0 else { return false }
        left -= 1
        return true
    }
}
