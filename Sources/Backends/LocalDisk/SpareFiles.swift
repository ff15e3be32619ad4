import Core

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Keeps one zero-filled file ahead of use. The filling runs on a thread of its own, which lives only as long as it
/// fills. `ready`, `filling`, `isStopped` and `counter` are guarded by `mutex`.
final class SpareFiles: @unchecked Sendable {
    private static let prefix = ".spare-"

    private let folder: String
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var ready: (path: String, capacity: Int)?
    private var filling = false
    private var isStopped = false
    private var counter = 0

    init(folder: String) {
        self.folder = folder
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(changed)
        mutex.deallocate()
        changed.deallocate()
    }

    /// Removes spares of an earlier life.
    func removeLeftovers() {
        guard let stream = opendir(folder) else { return }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(Self.prefix) || name.hasPrefix(".replace-") { names.append(name) }
        }
        for name in names { unlink(folder + "/" + name) }
    }

    /// A zero-filled file of at least `capacity` bytes, durable as such; the caller renames it. The next is begun.
    func take(capacity: Int) throws -> String {
        pthread_mutex_lock(mutex)
        while filling { pthread_cond_wait(changed, mutex) }
        let spare = ready
        ready = nil
        counter += 1
        let own = "\(folder)/\(Self.prefix)\(counter)"
        pthread_mutex_unlock(mutex)
        if let spare, spare.capacity == capacity {
            fillNext(capacity)
            return spare.path
        }
        if let spare { unlink(spare.path) }
        do { try Self.fill(own, capacity) } catch {
            unlink(own)
            throw error
        }
        fillNext(capacity)
        return own
    }

    private func fillNext(_ capacity: Int) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isStopped, !filling, ready == nil else { return }
        filling = true
        counter += 1
        let job = Job(owner: self, path: "\(folder)/\(Self.prefix)\(counter)", capacity: capacity)
        let context = Unmanaged.passRetained(job).toOpaque()
        var thread = pthread_t()
        let result = pthread_create(&thread, nil, { context in
            let job = Unmanaged<Job>.fromOpaque(context!).takeRetainedValue()
            job.owner.run(job)
            return nil
        }, context)
        if result == 0 {
            pthread_detach(thread)
        } else {
            Unmanaged<Job>.fromOpaque(context).release()
            filling = false
        }
    }

    private final class Job {
        let owner: SpareFiles
        let path: String
        let capacity: Int

        init(owner: SpareFiles, path: String, capacity: Int) {
            self.owner = owner
            self.path = path
            self.capacity = capacity
        }
    }

    private func run(_ job: Job) {
        var done = true
        // A failure here is met again, and reported, by whoever needs the file.
        do { try Self.fill(job.path, job.capacity) } catch { done = false }
        pthread_mutex_lock(mutex)
        if done, !isStopped { ready = (job.path, job.capacity) } else { unlink(job.path) }
        filling = false
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
    }

    /// Waits for a filling under way and removes the spare.
    func stop() {
        pthread_mutex_lock(mutex)
        isStopped = true
        while filling { pthread_cond_wait(changed, mutex) }
        if let ready { unlink(ready.path) }
        ready = nil
        pthread_mutex_unlock(mutex)
    }

    private static func fill(_ path: String, _ capacity: Int) throws {
        let file = openFile(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Posix.error("make", path) }
        defer { closeFile(file) }
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var done = 0
        while done < capacity {
            let count = min(zeros.count, capacity - done)
            let result = zeros.withUnsafeBytes { pwrite(file, $0.baseAddress, count, off_t(done)) }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw Posix.error("fill", path) }
            done += result
        }
        if fsync(file) != 0 { throw Posix.error("sync", path) }
    }
}
