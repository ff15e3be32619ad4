import SwiftProtobuf

/// A size with four significant digits in binary units: `0B`, `80.59KiB`, `1.5MiB`.
func formatSize(_ bytes: Int64) -> String {
    var value = Double(bytes)
    var unit = 0
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1024, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return fourDigits(value) + units[unit]
}

/// At most four significant digits, without trailing zeros.
private func fourDigits(_ value: Double) -> String {
    let decimals = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3
    var scale: Int64 = 1
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int64((value * Double(scale)).rounded(.toNearestOrEven))
    var text = String(scaled / scale)
    let fraction = scaled % scale
    if fraction > 0 {
        let digits = String(fraction)
        var tail = String(repeating: "0", count: decimals - digits.count) + digits
        while tail.hasSuffix("0") { tail.removeLast() }
        text += "." + tail
    }
    return text
}

/// A length of time in words: `Less than a second`, `About a minute`, `3 weeks`.
func formatSpan(seconds: Int64) -> String {
    let minutes = seconds / 60
    let hours = Int64((Double(seconds) / 3600).rounded())
    switch true {
    case seconds < 1: return "Less than a second"
    case seconds == 1: return "1 second"
    case seconds < 60: return "\(seconds) seconds"
    case minutes == 1: return "About a minute"
    case minutes < 60: return "\(minutes) minutes"
    case hours == 1: return "About an hour"
    case hours < 48: return "\(hours) hours"
    case hours < 24 * 7 * 2: return "\(hours / 24) days"
    case hours < 24 * 30 * 2: return "\(hours / 24 / 7) weeks"
    case hours < 24 * 365 * 2: return "\(hours / 24 / 30) months"
    default: return "\(hours / 24 / 365) years"
    }
}

/// How times are shown: as an age, or in full.
struct TimeStyle: Sendable {
    var full = false
    var now = Instant.now()

    func text(_ time: Instant) -> String {
        full ? time.utc : formatSpan(seconds: now.seconds - time.seconds) + " ago"
    }

    /// The text of a time that may be missing: `-`.
    func text(_ stamp: Google_Protobuf_Timestamp, if present: Bool) -> String {
        present ? text(Instant(seconds: stamp.seconds, nanos: stamp.nanos)) : "-"
    }
}
