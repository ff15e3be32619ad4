/// A duration as proto JSON writes it: seconds with at most nine decimals and an `s`, such as `600s` or `1.5s`.
package struct SpecDuration: Sendable, Equatable {
    package var seconds: Double

    package init?(_ text: String) {
        guard text.hasSuffix("s") else { return nil }
        let number = text.dropLast()
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        let whole = parts[0].hasPrefix("-") ? parts[0].dropFirst() : parts[0]
        guard parts.count <= 2, !whole.isEmpty, whole.allSatisfy(\.isASCIIDigit), whole.count <= 12 else { return nil }
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].count <= 9, parts[1].allSatisfy(\.isASCIIDigit) else { return nil }
        }
        guard let seconds = Double(number) else { return nil }
        self.seconds = seconds
    }
}

extension Character {
    var isASCIIDigit: Bool { isASCII && isNumber }
}

/// Times of RFC 3339, as proto JSON and the logs write them.
package enum SpecTimestamp {
    /// The instant that `text` names; nil unless it is a full time with a zone.
    package static func parse(_ text: String) -> Instant? {
        let bytes = Array(text.utf8)
        func number(_ from: Int, _ count: Int) -> Int? {
            guard from + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[from..<from + count] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        func mark(_ at: Int, _ allowed: String) -> Bool { at < bytes.count && allowed.utf8.contains(bytes[at]) }
        guard let year = number(0, 4), mark(4, "-"), let month = number(5, 2), mark(7, "-"), let day = number(8, 2),
            mark(10, "Tt "), let hour = number(11, 2), mark(13, ":"), let minute = number(14, 2), mark(16, ":"),
            let second = number(17, 2), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60,
            second <= 60, (1678...2261).contains(year)
        else { return nil }
        var index = 19
        var nanos: Int64 = 0
        if mark(index, ".") {
            var scale: Int64 = 100_000_000
            index += 1
            let start = index
            while let digit = number(index, 1) {
                nanos += Int64(digit) * scale
                scale /= 10
                index += 1
            }
            if index == start { return nil }
        }
        var offset = 0
        if mark(index, "Zz") {
            index += 1
        } else if mark(index, "+-") {
            guard let hours = number(index + 1, 2), mark(index + 3, ":"), let minutes = number(index + 4, 2) else {
                return nil
            }
            offset = (hours * 60 + minutes) * (bytes[index] == UInt8(ascii: "-") ? -60 : 60)
            index += 6
        } else {
            return nil
        }
        guard index == bytes.count else { return nil }
        let days = daysSinceEpoch(year, month, day)
        return Instant(
            nanoseconds: Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000_000 + nanos)
    }

    /// The whole second in UTC, without decimals: `2024-01-31T12:00:00Z`. Such texts are ordered as their times are.
    package static func formatSeconds(_ instant: Instant) -> String { format(instant).prefix(19) + "Z" }

    /// The time in UTC with nine decimals.
    package static func format(_ instant: Instant) -> String {
        let seconds = Int(instant.seconds)
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = seconds - days * 86_400
        let (year, month, day) = civil(days)
        func pad(_ value: Int, _ width: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3600, 2)):\(pad(rest / 60 % 60, 2))"
            + ":\(pad(rest % 60, 2)).\(pad(Int(instant.nanos), 9))Z"
    }

    /// Days from 1970-01-01, in the proleptic Gregorian calendar.
    static func daysSinceEpoch(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part + (part < 10 ? 3 : -9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1)
    }
}
