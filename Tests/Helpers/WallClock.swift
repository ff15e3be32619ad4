import Core
import Foundation

/// The machine's own time, for clients of a ``PythonHelper``: it knows no other.
package struct WallClock: Clock {
    package init() {}

    package func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(seconds: Int64(time.tv_sec), nanos: Int32(time.tv_nsec))
    }
}
