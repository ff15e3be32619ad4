import CAllocator
import Foundation
import ServiceLifecycle

/// Keeps the process small: what was freed after a busy stretch stays with the allocator, in pieces between what lives
/// on, until somebody asks for it. Looks at the process every few seconds and asks where it has grown large.
struct MemoryService: Service {
    private static let pause = Duration.seconds(2)
    /// Resident bytes below which nothing is done.
    private static let threshold = 160 << 20

    /// Trimming takes its time.
    let executor: IOExecutor

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while true {
                do { try await Task.sleep(for: Self.pause) } catch { return }
                await withTaskExecutorPreference(executor) {
                    if Self.resident > Self.threshold { spile_trim_allocator() }
                }
            }
        }
    }

    /// Resident bytes of this process; 0 where the system does not tell.
    static var resident: Int {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
