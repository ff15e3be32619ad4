import Core

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Runs a slot writer's disk work in order on a thread of its own, so that hashing goes on meanwhile. At most
/// `depth` jobs wait: a slow disk slows the caller. Without a thread every job runs at once, in the caller.
final class WriteBehind: @unchecked Sendable {
    // Unchecked: `queue`, `running`, the counts, `failure` and `stopped` are guarded by `mutex`.
    typealias Job = @Sendable () throws -> Void

    private let depth: Int
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var queue: [Job] = []
    private var running = false
    /// Jobs taken and jobs that are over, done or passed over.
    private var submitted = 0
    private var finished = 0
    private var failure: (any Error)?
    private var stopped = false
    private var thread: pthread_t?

    init(depth: Int, threaded: Bool) {
        self.depth = depth
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
        guard threaded else { return }
        var handle = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(&handle, nil, { context in
            Unmanaged<WriteBehind>.fromOpaque(context!).takeRetainedValue().run()
            return nil
        }, context)
        if result == 0 { thread = handle } else { Unmanaged<WriteBehind>.fromOpaque(context).release() }
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(changed)
        mutex.deallocate()
        changed.deallocate()
    }

    private func run() {
        pthread_mutex_lock(mutex)
        while true {
            while queue.isEmpty, !stopped { pthread_cond_wait(changed, mutex) }
            if queue.isEmpty { break }
            let job = queue.removeFirst()
            let skip = failure != nil
            running = true
            pthread_mutex_unlock(mutex)
            var thrown: (any Error)?
            if !skip { do { try job() } catch { thrown = error } }
            pthread_mutex_lock(mutex)
            running = false
            finished += 1
            if let thrown, failure == nil { failure = thrown }
            pthread_cond_broadcast(changed)
        }
        pthread_mutex_unlock(mutex)
    }

    /// Queues a job; waits while too many wait already. Throws what an earlier job threw; that job and all after it
    /// until ``reset()`` are not done. Gives the number of the job, for ``wait(for:)``.
    @discardableResult
    func submit(_ job: @escaping Job) throws -> Int {
        guard thread != nil else {
            if let failure { throw failure }
            submitted += 1
            finished += 1
            do { try job() } catch {
                failure = error
                throw error
            }
            return submitted
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while queue.count + (running ? 1 : 0) >= depth, failure == nil { pthread_cond_wait(changed, mutex) }
        if let failure { throw failure }
        queue.append(job)
        submitted += 1
        pthread_cond_broadcast(changed)
        return submitted
    }

    /// Waits until a job is over; those behind it go on. Throws what a job threw.
    func wait(for job: Int) throws {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while finished < job { pthread_cond_wait(changed, mutex) }
        if let failure { throw failure }
    }

    /// Waits until nothing is queued or running; throws what a job threw.
    func drain() throws {
        if thread == nil {
            if let failure { throw failure }
            return
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !queue.isEmpty || running { pthread_cond_wait(changed, mutex) }
        if let failure { throw failure }
    }

    /// Forgets a failure, once everything queued has been passed over.
    func reset() {
        try? drain()
        pthread_mutex_lock(mutex)
        failure = nil
        pthread_mutex_unlock(mutex)
    }

    /// Ends the thread after what is queued. May be called again.
    func stop() {
        guard let thread else { return }
        pthread_mutex_lock(mutex)
        stopped = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
        pthread_join(thread, nil)
        self.thread = nil
    }
}
