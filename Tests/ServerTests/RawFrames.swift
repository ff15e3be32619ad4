/// Bytes of HTTP/2 as a client sends them.
enum RawFrames {
    /// What a client says before its first frame.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        let front = [UInt8(length >> 16), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), type, flags]
        return front + withUnsafeBytes(of: stream.bigEndian) { Array($0) } + payload
    }

    static func ping(_ number: UInt64, ack: Bool = false) -> [UInt8] {
        frame(6, flags: ack ? 1 : 0, withUnsafeBytes(of: number.bigEndian) { Array($0) })
    }

    static func reset(_ stream: UInt32) -> [UInt8] { frame(3, stream: stream, [0, 0, 0, 8]) }
}
