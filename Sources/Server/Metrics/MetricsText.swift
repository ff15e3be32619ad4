import Core

/// Figures in Prometheus' text format 0.0.4: families one after the other, each with its help and type.
struct MetricsText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    typealias Labels = [(name: String, value: String)]

    private(set) var text = ""

    /// Begins a family; its samples follow.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: Labels = [], _ value: Double) {
        text += name + Self.text(labels) + " " + Self.text(value) + "\n"
    }

    mutating func sample(_ name: String, _ labels: Labels = [], _ value: Int) {
        text += name + Self.text(labels) + " \(value)\n"
    }

    /// A family of one sample without labels.
    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        family(name, kind, help)
        sample(name, [], value)
    }

    /// The samples of one histogram, whose observations times `unit` are what its name says.
    mutating func histogram(_ name: String, _ labels: Labels = [], _ reading: HistogramReading, unit: Double = 1) {
        for (bound, count) in zip(reading.bounds, reading.counts) {
            sample(name + "_bucket", labels + [("le", Self.text(Double(bound) * unit))], count)
        }
        sample(name + "_bucket", labels + [("le", "+Inf")], reading.count)
        sample(name + "_sum", labels, Double(reading.sum) * unit)
        sample(name + "_count", labels, reading.count)
    }

    private static func text(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }

    private static func text(_ labels: Labels) -> String {
        if labels.isEmpty { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
