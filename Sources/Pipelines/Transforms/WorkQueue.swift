/// Hands work from one who finds it to several who do it: whoever puts in waits while enough is waiting.
actor WorkQueue<Work: Sendable> {
    private let limit: Int
    private var waiting: [Work] = []
    private var isClosed = false
    private var takers: [CheckedContinuation<Void, Never>] = []
    private var givers: [CheckedContinuation<Void, Never>] = []

    init(limit: Int) { self.limit = limit }

    /// False if the queue is closed: nothing more is wanted.
    func put(_ work: Work) async -> Bool {
        while waiting.count >= limit, !isClosed { await withCheckedContinuation { givers.append($0) } }
        if isClosed { return false }
        waiting.append(work)
        if !takers.isEmpty { takers.removeFirst().resume() }
        return true
    }

    /// The next one; nil once the queue is closed and empty.
    func take() async -> Work? {
        while waiting.isEmpty {
            if isClosed { return nil }
            await withCheckedContinuation { takers.append($0) }
        }
        if !givers.isEmpty { givers.removeFirst().resume() }
        return waiting.removeFirst()
    }

    /// No more will come; with `dropping`, what waits is not done either. May be called again.
    func close(dropping: Bool = false) {
        isClosed = true
        if dropping { waiting = [] }
        for waiter in takers + givers { waiter.resume() }
        takers = []
        givers = []
    }
}
