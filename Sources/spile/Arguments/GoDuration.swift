/// Reads a duration as `300ms`, `1.5h`, `2h45m`, `-1h` or `0`; nil for anything else.
func parseDuration(_ text: String) -> Duration? {
    var rest = Substring(text)
    let negative = rest.first == "-"
    if let sign = rest.first, sign == "-" || sign == "+" { rest = rest.dropFirst() }
    if rest == "0" { return .zero }
    if rest.isEmpty { return nil }
    var seconds = 0.0
    while !rest.isEmpty {
        let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits.hasPrefix(".") ? "0" + digits : String(digits)) else { return nil }
        rest = rest.dropFirst(digits.count)
        let unit = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != "." }
        rest = rest.dropFirst(unit.count)
        switch unit {
        case "ns": seconds += number / 1e9
        case "us", "µs", "μs": seconds += number / 1e6
        case "ms": seconds += number / 1e3
        case "s": seconds += number
        case "m": seconds += number * 60
        case "h": seconds += number * 3600
        default: return nil
        }
    }
    return .seconds(negative ? -seconds : seconds)
}
