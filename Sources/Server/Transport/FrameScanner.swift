import NIOCore

/// Follows the frames of one HTTP/2 connection in the bytes that a client sends, and tells those of two kinds apart:
/// PINGs that want an answer, and resets of streams. Everything else passes in the pieces in which it came.
///
/// One look at each frame's header; payloads are neither read nor copied. At most 16 bytes, the beginning of one frame,
/// are held back from one piece to the next. What is not HTTP/2 passes as a whole: judging it is not its business.
package struct FrameScanner {
    package enum Step: Equatable {
        /// Bytes to pass on, as they came.
        case pass(ByteBuffer)
        /// A whole PING frame without ACK: 17 bytes, of which the last eight are to be sent back.
        case ping(ByteBuffer)
        /// A whole RST_STREAM frame, 13 bytes.
        case reset(stream: Int, ByteBuffer)
    }

    private enum State {
        /// Within the 24 bytes before the first frame.
        case preface(seen: Int)
        case betweenFrames
        case payload(left: Int)
        case noFrames
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private var state = State.preface(seen: 0)
    /// The beginning of a frame whose rest has not come yet.
    private var held = ByteBuffer()

    package init() {}

    /// Takes from `bytes` up to what the step is about. Nil when all have been taken.
    package mutating func next(in bytes: inout ByteBuffer) -> Step? {
        if held.readableBytes > 0 { return completeHeld(from: &bytes) }
        var length = 0
        while length < bytes.readableBytes {
            let start = bytes.readerIndex + length
            switch state {
            case .preface(let seen): length += follow(preface: bytes, at: start, seen)
            case .noFrames: length = bytes.readableBytes
            case .payload(let left):
                let step = min(left, bytes.readableBytes - length)
                length += step
                state = step == left ? .betweenFrames : .payload(left: left - step)
            case .betweenFrames:
                let header = FrameHeader(bytes, at: start)
                if let header, !header.isTaken {
                    length += FrameHeader.size
                    state = header.length == 0 ? .betweenFrames : .payload(left: header.length)
                } else {
                    // What comes before goes first; the frame itself begins the next call's bytes.
                    if length > 0 { return .pass(bytes.readSlice(length: length) ?? ByteBuffer()) }
                    return take(header, from: &bytes)
                }
            }
        }
        return bytes.readSlice(length: length).flatMap { length > 0 ? .pass($0) : nil }
    }

    /// The frame at the start of the bytes; holds it back if it is not whole.
    private mutating func take(_ header: FrameHeader?, from bytes: inout ByteBuffer) -> Step? {
        if let header, let frame = bytes.readSlice(length: header.whole) { return header.step(frame) }
        held.writeBuffer(&bytes)
        return nil
    }

    private mutating func completeHeld(from bytes: inout ByteBuffer) -> Step? {
        while true {
            let header = FrameHeader(held, at: held.readerIndex)
            if let header, !header.isTaken || held.readableBytes == header.whole {
                let frame = held
                held = ByteBuffer()
                if header.isTaken { return header.step(frame) }
                state = header.length == 0 ? .betweenFrames : .payload(left: header.length)
                return .pass(frame)
            }
            let missing = (header?.whole ?? FrameHeader.size) - held.readableBytes
            guard var piece = bytes.readSlice(length: min(missing, bytes.readableBytes)), piece.readableBytes > 0
            else { return nil }
            held.writeBuffer(&piece)
        }
    }

    /// How many of the bytes from `start` on belong to the preface.
    private mutating func follow(preface bytes: ByteBuffer, at start: Int, _ seen: Int) -> Int {
        let length = min(Self.preface.count - seen, bytes.writerIndex - start)
        guard bytes.getBytes(at: start, length: length)?.elementsEqual(Self.preface[seen..<seen + length]) == true
        else {
            state = .noFrames
            return length
        }
        state = seen + length == Self.preface.count ? .betweenFrames : .preface(seen: seen + length)
        return length
    }
}

/// The nine bytes before a frame's payload: its length (24 bits), type, flags and stream (RFC 9113 §4.1).
private struct FrameHeader {
    static let size = 9
    private static let reset: UInt8 = 3, ping: UInt8 = 6
    private static let ack: UInt8 = 1

    let length: Int
    private let type: UInt8
    private let flags: UInt8
    private let stream: Int

    /// Nil if not all of it is there.
    init?(_ bytes: ByteBuffer, at index: Int) {
        guard index + Self.size <= bytes.writerIndex, let front = bytes.getInteger(at: index, as: UInt64.self),
            let last = bytes.getInteger(at: index + 8, as: UInt8.self)
        else { return nil }
        length = Int(front >> 40)
        type = UInt8(truncatingIfNeeded: front >> 32)
        flags = UInt8(truncatingIfNeeded: front >> 24)
        // The highest bit is reserved.
        stream = Int(front & 0x7f_ffff) << 8 | Int(last)
    }

    /// In bytes, with the header.
    var whole: Int { Self.size + length }

    /// A malformed one is none of these, and passes.
    var isTaken: Bool {
        type == Self.ping && flags & Self.ack == 0 && stream == 0 && length == 8
            || type == Self.reset && stream != 0 && length == 4
    }


    func step(_ frame: ByteBuffer) -> FrameScanner.Step {
        type == Self.ping ? .ping(frame) : .reset(stream: stream, frame)
    }
}
