import GRPCCore

extension Call {
    /// How many seconds the caller gave the call when it was sent; nil for no end.
    var seconds: Double? {
        metadata[stringValues: "grpc-timeout"].first { _ in true }.flatMap(Self.seconds)
    }

    /// Reads the header's form: up to eight digits and a unit.
    static func seconds(_ text: String) -> Double? {
        let digits = text.utf8.dropLast()
        guard let unit = text.utf8.last, (1...8).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Double(String(Substring(digits)))
        else { return nil }
        switch unit {
        case UInt8(ascii: "H"): return number * 3600
        case UInt8(ascii: "M"): return number * 60
        case UInt8(ascii: "S"): return number
        case UInt8(ascii: "m"): return number / 1e3
        case UInt8(ascii: "u"): return number / 1e6
        case UInt8(ascii: "n"): return number / 1e9
        default: return nil
        }
    }
}
