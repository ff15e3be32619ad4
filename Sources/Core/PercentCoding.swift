/// `%` and two hex digits for a byte: how URLs and headers hold what they could not hold as it is.
package enum PercentCoding {
    /// The bytes that a text stands for; nil where a `%` is not followed by two hex digits.
    package static func decoded(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else if let high = rest.popFirst().flatMap(Hex.value), let low = rest.popFirst().flatMap(Hex.value) {
                bytes.append(high << 4 | low)
            } else {
                return nil
            }
        }
        return bytes
    }

    /// Bytes as text: those for which `isPlain` holds, which have to be ASCII, as they are.
    package static func encoded(_ bytes: some Sequence<UInt8>, keeping isPlain: (UInt8) -> Bool) -> String {
        var result = ""
        for byte in bytes {
            if isPlain(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
