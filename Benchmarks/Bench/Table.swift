import Foundation

/// Prints lines as a Markdown table that is also readable as it stands.
struct Table {
    let lines: [Line]

    func text() -> String {
        var rows = [["what", "ours (median, min–max)", "compared with", "ratio (min–max)", "budget", "met"]]
        for line in lines {
            rows.append([
                line.name + (line.remark.isEmpty ? "" : " (\(line.remark))"),
                "\(Self.spread(line.ours)) \(line.unit)",
                line.limit.map { "\($0): \(Self.number(line.limits.median))" } ?? "",
                line.limit == nil ? "" : Self.spread(line.ratios),
                Self.goal(line.goal),
                Self.verdict(line),
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var output = rows.map { row in
            "| "
                + zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
                .joined(separator: " | ") + " |"
        }
        output.insert("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|", at: 1)
        return output.joined(separator: "\n")
    }

    private static func verdict(_ line: Line) -> String {
        let word =
            switch line.verdict {
            case true?: "yes"
            case false?: "MISSED"
            case nil: ""
            }
        guard line.noisyCount > 0 else { return word }
        let noise = "noisy \(line.noisyCount)/\(line.samples.count), \(number(line.worstForeign)) CPU"
        return word.isEmpty ? noise : "\(word); \(noise)"
    }

    private static func goal(_ goal: Goal) -> String {
        switch goal {
        case .atLeast(let bound): "≥ \(number(bound))"
        case .atMost(let bound): "≤ \(number(bound))"
        case .none: ""
        }
    }

    static func spread(_ samples: Samples) -> String {
        guard samples.values.count > 1 else { return number(samples.median) }
        return "\(number(samples.median)) (\(number(samples.least))–\(number(samples.most)))"
    }

    /// Three digits that count; thousands in groups.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        let size = abs(value)
        if size >= 100 { return grouped(Int(value.rounded())) }
        let decimals = size >= 10 ? 1 : size >= 0.1 || size == 0 ? 2 : 3
        var text = String(format: "%.\(decimals)f", value)
        while text.contains(".") && (text.hasSuffix("0") || text.hasSuffix(".")) { text.removeLast() }
        return text
    }

    private static func grouped(_ value: Int) -> String {
        var digits = Array(String(abs(value)))
        var index = digits.count - 3
        while index > 0 {
            digits.insert(",", at: index)
            index -= 3
        }
        return (value < 0 ? "-" : "") + String(digits)
    }
}
