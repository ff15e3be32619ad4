/// What a spec says about where its code runs and how much it may use there.
extension PipelineSpec {
    /// The annotation that names a pipeline's launcher.
    package static let launcherAnnotation = "spile.io/launcher"

    /// The launcher that the annotation ``launcherAnnotation`` names, checked by nobody; nil leaves it to the server.
    package var launcherName: String? {
        json["metadata"]?["annotations"]?[Self.launcherAnnotation]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }

    package var labels: [String: String] {
        Dictionary(
            (json["metadata"]?["labels"]?.members ?? []).map { ($0.name, $0.value.string ?? "") },
            uniquingKeysWith: { $1 })
    }

    /// Bytes, from `resource_limits.memory`; nil without a limit, and where it cannot be read (`pps.md` §1.2).
    package var memoryLimit: Int64? {
        guard let text = json["resourceLimits"]?["memory"]?.string, let bytes = Quantity.parse(text),
            bytes >= 1, bytes < 9e18
        else { return nil }
        return Int64(bytes)
    }

    /// Processors' worth of time, from `resource_limits.cpu`; nil without a limit.
    package var processorLimit: Double? {
        guard case .number(let text)? = json["resourceLimits"]?["cpu"], let number = Double(text),
            number > 0, number.isFinite
        else { return nil }
        return number
    }

    /// Names of the secrets that hold registries' credentials.
    package var imagePullSecrets: [String] {
        json["transform"]?["imagePullSecrets"]?.elements.compactMap(\.string) ?? []
    }
}

/// Amounts as Kubernetes writes them: `64M`, `1.5Gi`, `250m`, `1e3`.
package enum Quantity {
    private static let scales: [String: Double] = [
        "": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
        "Ki": 0x1p10, "Mi": 0x1p20, "Gi": 0x1p30, "Ti": 0x1p40, "Pi": 0x1p50, "Ei": 0x1p60,
    ]

    /// Nil unless `text` is a number without a sign, and at most one suffix.
    package static func parse(_ text: String) -> Double? {
        let digits = text.prefix { $0.isNumber && $0.isASCII || $0 == "." }
        guard let number = Double(digits) else { return nil }
        let suffix = text.dropFirst(digits.count)
        if let scale = scales[String(suffix)] { return number * scale }
        guard let mark = suffix.first, mark == "e" || mark == "E" else { return nil }
        return Int(suffix.dropFirst()).flatMap { abs($0) < 30 ? Double("\(digits)e\($0)") : nil }
    }
}
