/// When something is due again and again: five cron fields, a descriptor such as `@hourly`, `@every 90s`, or `@never`
/// (`pfs.md` §4.3.5, `pps.md` §13). Times are UTC.
package struct CronSchedule: Sendable, Equatable {
    private enum Kind: Sendable, Equatable {
        case fields(Fields)
        case every(seconds: Int64)
        case never
    }

    private struct Fields: Sendable, Equatable {
        /// Bit n stands for the value n.
        var minutes: UInt64
        var hours: UInt64
        var days: UInt64
        var months: UInt64
        var weekdays: UInt64
        /// Where neither day field is `*`, a day that either of them names is meant; else one that both name.
        var eitherDay: Bool
    }

    private let kind: Kind
    /// In the year 2229: from then on a step of the longest kind may lead beyond the last instant there is.
    private static let lastSecond: Int64 = 8_200_000_000

    /// Reads a schedule. Throws `invalidArgument` that names the field and what it takes.
    package init(_ text: String) throws(SpileError) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        guard let first = words.first else { throw Self.malformed(text, "it is empty") }
        if first.hasPrefix("@") {
            kind = try Self.descriptor(words, text)
            return
        }
        guard words.count == 5 else {
            throw Self.malformed(text, "it has \(words.count) fields; minute, hour, day, month and weekday are five")
        }
        var weekdays = try CronField.weekday.bits(words[4], text)
        // Sunday is 0 and 7.
        if weekdays & (1 << 7) != 0 { weekdays = (weekdays | 1) & ~(1 << 7) }
        kind = .fields(
            Fields(
                minutes: try CronField.minute.bits(words[0], text), hours: try CronField.hour.bits(words[1], text),
                days: try CronField.day.bits(words[2], text), months: try CronField.month.bits(words[3], text),
                weekdays: weekdays, eitherDay: !CronField.isOpen(words[2]) && !CronField.isOpen(words[4])))
    }

    private static let named = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    private static func descriptor(_ words: [Substring], _ text: String) throws(SpileError) -> Kind {
        if words.count == 2, words[0] == "@every" {
            guard let seconds = ShortDuration.seconds(String(words[1])), (0..<1e9).contains(seconds), seconds > 0
            else {
                throw malformed(text, "\(words[1]) is not a duration such as 90s or 1h30m")
            }
            return .every(seconds: max(1, Int64(seconds)))
        }
        guard words.count == 1 else { throw malformed(text, "a descriptor stands alone") }
        if words[0] == "@never" { return .never }
        guard let fields = named[String(words[0])] else {
            throw malformed(text, "\(words[0]) is unknown; use @hourly, @daily, @weekly, @monthly, @yearly or @every")
        }
        return try CronSchedule(fields).kind
    }

    static func malformed(_ text: String, _ why: String) -> SpileError {
        .invalid("schedule \"\(text)\" cannot be read: \(why)", remedy: "write for example */10 * * * * or @every 10m")
    }

    /// The first time it is due after `instant`, a whole second; nil if never (within 28 years, which hold every
    /// combination of day, month and weekday), or where the end of what an ``Instant`` can say is near.
    package func next(after instant: Instant) -> Instant? {
        guard instant.seconds <= Self.lastSecond else { return nil }
        return switch kind {
        case .never: nil
        case .every(let seconds): Instant(seconds: instant.seconds + seconds)
        case .fields(let fields): Self.next(fields, after: instant)
        }
    }

    private static func next(_ fields: Fields, after instant: Instant) -> Instant? {
        let minute = Int((Double(instant.seconds) / 60).rounded(.down)) + 1
        var day = Int((Double(minute) / 1440).rounded(.down))
        var start = minute - day * 1440
        for _ in 0...(28 * 366) {
            if holds(fields, day: day), let found = time(fields, from: start) {
                return Instant(seconds: Int64(day * 86_400 + found * 60))
            }
            day += 1
            start = 0
        }
        return nil
    }

    private static func holds(_ fields: Fields, day: Int) -> Bool {
        let date = SpecTimestamp.civil(day)
        guard fields.months & (1 << date.month) != 0 else { return false }
        // 1970-01-01 was a Thursday.
        let weekday = ((day + 4) % 7 + 7) % 7
        let byDay = fields.days & (1 << date.day) != 0
        let byWeekday = fields.weekdays & (1 << weekday) != 0
        return fields.eitherDay ? byDay || byWeekday : byDay && byWeekday
    }

    /// The first minute of a day that is due, at or after `start`.
    private static func time(_ fields: Fields, from start: Int) -> Int? {
        for hour in (start / 60)..<24 where fields.hours & (1 << hour) != 0 {
            let first = hour == start / 60 ? start % 60 : 0
            for minute in first..<60 where fields.minutes & (1 << minute) != 0 { return hour * 60 + minute }
        }
        return nil
    }
}

/// One of the five fields: which values it takes, and how its text becomes a set of bits.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day of the month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(
        name: "weekday", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])

    /// Whether the field lets every value through by its form.
    static func isOpen(_ text: Substring) -> Bool { text.hasPrefix("*") || text.hasPrefix("?") }

    func bits(_ text: Substring, _ whole: String) throws(SpileError) -> UInt64 {
        var bits: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) { bits |= try one(part, whole) }
        return bits
    }

    private func one(_ text: Substring, _ whole: String) throws(SpileError) -> UInt64 {
        let pieces = text.split(separator: "/", omittingEmptySubsequences: false)
        var step = 1
        if pieces.count == 2 {
            guard let number = Int(pieces[1]), number > 0 else { throw refused(text, whole) }
            step = number
        } else if pieces.count != 1 {
            throw refused(text, whole)
        }
        let bounds = try span(pieces[0], hasStep: pieces.count == 2, text, whole)
        var bits: UInt64 = 0
        for value in stride(from: bounds.lowerBound, through: bounds.upperBound, by: step) {
            bits |= 1 << UInt64(value)
        }
        return bits
    }

    private func span(
        _ text: Substring, hasStep: Bool, _ part: Substring, _ whole: String
    ) throws(SpileError) -> ClosedRange<Int> {
        if text == "*" || text == "?" { return name == "weekday" ? 0...6 : range }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let first = value(ends[0]) else { throw refused(part, whole) }
        guard ends.count == 2 else { return hasStep ? first...range.upperBound : first...first }
        guard let last = value(ends[1]), first <= last else { throw refused(part, whole) }
        return first...last
    }

    private func value(_ text: Substring) -> Int? {
        if let index = names.firstIndex(of: text.lowercased()) { return index + range.lowerBound }
        guard text.allSatisfy(\.isASCIIDigit), let number = Int(text), range.contains(number) else { return nil }
        return number
    }

    private func refused(_ part: Substring, _ whole: String) -> SpileError {
        CronSchedule.malformed(
            whole,
            "\"\(part)\" is no \(name): values from \(range.lowerBound) to \(range.upperBound), a-b, */n or lists")
    }
}
