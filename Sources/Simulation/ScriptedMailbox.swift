import Synchronization

/// Things that happened, in order, for a test to wait for: an element that has come is kept until it is taken.
package final class ScriptedMailbox<Element: Sendable>: Sendable {
    /// Guarded by the lock around it. At most one of the two is non-empty.
    private struct State {
        var elements: [Element] = []
        var waiters: [CheckedContinuation<Element, Never>] = []
    }

    private let state = Mutex(State())

    package init() {}

    package func put(_ element: Element) {
        let waiter = state.withLock { state -> CheckedContinuation<Element, Never>? in
            if state.waiters.isEmpty {
                state.elements.append(element)
                return nil
            }
            return state.waiters.removeFirst()
        }
        waiter?.resume(returning: element)
    }

    /// The next element, waiting for it if need be.
    package func next() async -> Element {
        await withCheckedContinuation { continuation in
            let element = state.withLock { state -> Element? in
                if state.elements.isEmpty {
                    state.waiters.append(continuation)
                    return nil
                }
                return state.elements.removeFirst()
            }
            if let element { continuation.resume(returning: element) }
        }
    }

    /// The first element to come that `accepts` takes; those before it are dropped.
    package func next(where accepts: (Element) -> Bool) async -> Element {
        while true {
            let element = await next()
            if accepts(element) { return element }
        }
    }

    /// What has come and was not taken.
    package var untaken: [Element] { state.withLock { $0.elements } }
}
