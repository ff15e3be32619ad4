import Foundation

/// What the kernel says about processes. Figures that it does not offer are zero.
enum ProcessFigures {
    private static let tick = Double(sysconf(Int32(_SC_CLK_TCK)))

    /// CPU seconds that all processes together have used.
    static func machineSeconds() -> Double {
        guard let line = text("/proc/stat").split(separator: "\n").first else { return 0 }
        let fields = line.split(separator: " ").dropFirst().compactMap { Double($0) }
        guard fields.count >= 7 else { return 0 }
        // user, nice, system, irq, softirq; neither idle nor waiting for disks
        return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / tick
    }

    /// CPU seconds of this process and of children that have ended.
    static func ownSeconds() -> Double {
        [RUSAGE_SELF, RUSAGE_CHILDREN].map { who in
            var usage = rusage()
            getrusage(__rusage_who_t(who.rawValue), &usage)
            return seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }.reduce(0, +)
    }

    /// CPU seconds of another process.
    static func seconds(of process: pid_t) -> Double {
        guard let rest = text("/proc/\(process)/stat").split(separator: ")").last else { return 0 }
        let fields = rest.split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / tick
    }

    /// Bytes this process has caused to be written to disks.
    static func bytesWritten() -> Double { field("write_bytes:", of: text("/proc/self/io")) }

    /// The most memory `process` has had resident since the last ``forgetPeak(of:)``, in bytes.
    static func peakResident(of process: pid_t) -> Double {
        field("VmHWM:", of: text("/proc/\(process)/status")) * 1024
    }

    /// Begins a new peak. Memory of this process that is free already is given back before, so that it does not count.
    static func forgetPeak(of process: pid_t) {
        #if canImport(Glibc)
        if process == getpid() { _ = giveFreeMemoryBack(keeping: 0) }
        #endif
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/\(process)/clear_refs"))
    }

    private static func field(_ name: String, of text: String) -> Double {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0
        }
        return 0
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
}

#if canImport(Glibc)
/// `malloc_trim(3)`, which no module of the platform shows.
@_silgen_name("malloc_trim")
private func giveFreeMemoryBack(keeping padding: Int) -> Int32
#endif
