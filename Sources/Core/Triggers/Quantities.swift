/// Durations as people write them on a command line or in a schedule: `90s`, `1h30m`, `1.5h`, `250ms`, `-1h`, `0`.
package enum ShortDuration {
    private static let units: [(String, Double)] = [
        ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
    ]

    /// The seconds that `text` names; nil unless it is a run of numbers with units, all of it understood.
    package static func seconds(_ text: String) -> Double? {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        if rest == "0" { return 0 }
        if rest.isEmpty { return nil }
        var total = 0.0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCIIDigit || $0 == "." }
            guard let value = Double(number.hasPrefix(".") ? "0" + number : String(number)) else { return nil }
            rest = rest.dropFirst(number.count)
            let name = String(rest.prefix { !$0.isASCIIDigit && $0 != "." })
            guard let unit = units.first(where: { $0.0 == name }) else { return nil }
            rest = rest.dropFirst(name.count)
            total += value * unit.1
        }
        return isNegative ? -total : total
    }
}

/// Amounts of data as people write them: `100`, `1k`, `1.5MB`, `2 GB`; decimal, as the contract's triggers have them.
package enum ByteCount {
    /// The bytes that `text` names; nil unless it is a number with at most one unit.
    package static func parse(_ text: String) -> Int64? {
        let number = text.prefix { $0.isASCIIDigit || $0 == "." }
        guard !number.isEmpty, let value = Double(number) else { return nil }
        let unit = text.dropFirst(number.count).drop { $0 == " " }.lowercased()
        let scales: [(String, Double)] = [("", 1), ("k", 1e3), ("m", 1e6), ("g", 1e9), ("t", 1e12), ("p", 1e15)]
        guard let scale = scales.first(where: { unit == $0.0 || unit == $0.0 + "b" })?.1 else { return nil }
        let bytes = value * scale
        return bytes < 9e18 ? Int64(bytes) : nil
    }
}
