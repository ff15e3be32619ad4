import NIOCore
import Server
import Simulation
import Testing

/// What a scanner tells, with neighbouring pieces joined.
private enum Part: Equatable {
    case passed([UInt8])
    case ping([UInt8])
    case reset(Int)
}

@Suite struct FrameScannerTests {
    private func scan(_ pieces: [[UInt8]]) -> [Part] {
        var scanner = FrameScanner()
        var parts: [Part] = []
        for piece in pieces {
            var bytes = ByteBuffer(bytes: piece)
            while let step = scanner.next(in: &bytes) { add(step, to: &parts) }
            #expect(bytes.readableBytes == 0)
        }
        return parts
    }

    private func add(_ step: FrameScanner.Step, to parts: inout [Part]) {
        switch step {
        case .pass(let buffer):
            #expect(buffer.readableBytes > 0, "an empty piece")
            if case .passed(let before) = parts.last {
                parts[parts.count - 1] = .passed(before + Array(buffer.readableBytesView))
            } else {
                parts.append(.passed(Array(buffer.readableBytesView)))
            }
        case .ping(let buffer): parts.append(.ping(Array(buffer.readableBytesView)))
        case .reset(let stream, let buffer):
            #expect(Array(buffer.readableBytesView) == RawFrames.reset(UInt32(stream)))
            parts.append(.reset(stream))
        }
    }

    /// A frame of any kind, and whether it is taken out: the model says so by how it was made.
    private func anyFrame(_ random: SeededRandomness) -> (bytes: [UInt8], part: Part?) {
        let number = random.next()
        let stream = UInt32(truncatingIfNeeded: number >> 8) & 0x7fff_ffff | 1
        switch number % 10 {
        case 0, 1, 2: return (RawFrames.ping(random.next()), .ping([]))
        case 3: return (RawFrames.reset(stream), .reset(Int(stream)))
        case 4: return (RawFrames.ping(random.next(), ack: true), nil)
        case 5:
            let length = Int(stream % 20)
            return (RawFrames.frame(6, Array(repeating: 6, count: length == 8 ? 7 : length)), nil)
        case 6: return (RawFrames.frame(6, stream: stream, Array(repeating: 0, count: 8)), nil)
        case 7: return (RawFrames.frame(3, stream: 0, [0, 0, 0, 8]), nil)
        case 8: return (RawFrames.frame(UInt8(stream % 11), flags: 4, stream: stream, []), nil)
        default:
            // A payload that looks like frames.
            let content = Array(repeatElement(RawFrames.ping(number), count: Int(stream % 200)).joined())
            return (RawFrames.frame(0, flags: 1, stream: stream, content), nil)
        }
    }

    @Test(arguments: 1...300)
    func `all passes but PINGs and resets, in order, however it is cut`(seed: Int) {
        let random = SeededRandomness(seed: UInt64(seed))
        var stream = RawFrames.preface
        var expected: [Part] = [.passed(RawFrames.preface)]
        for _ in 0..<(1 + random.next() % 60) {
            let (bytes, part) = anyFrame(random)
            stream += bytes
            if let part {
                if case .ping = part { expected.append(.ping(bytes)) } else { expected.append(part) }
            } else if case .passed(let before) = expected.last {
                expected[expected.count - 1] = .passed(before + bytes)
            } else {
                expected.append(.passed(bytes))
            }
        }
        // Pieces of one byte, of some, of many: by the seed.
        let most = [1, 3, 20, 5000][seed % 4]
        var pieces: [[UInt8]] = []
        while !stream.isEmpty {
            let length = min(stream.count, 1 + Int(random.next() % UInt64(most)))
            pieces.append(Array(stream.prefix(length)))
            stream.removeFirst(length)
        }
        #expect(scan(pieces) == expected)
    }

    @Test func `a large frame passes at once, piece by piece`() {
        var scanner = FrameScanner()
        let data = RawFrames.frame(0, stream: 1, Array(repeating: 7, count: 1 << 20))
        let beginning = RawFrames.preface + data.prefix(1000)
        let more = Array(repeating: ByteBuffer(repeating: 7, count: 65536), count: 9)
        for piece in [ByteBuffer(bytes: beginning)] + more {
            var bytes = piece
            let step = scanner.next(in: &bytes)
            #expect(step == .pass(piece))
        }
    }

    @Test func `what is not HTTP 2 passes`() {
        let request = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8) + RawFrames.ping(1)
        #expect(scan([request]) == [.passed(request)])
        #expect(scan(request.map { [$0] }) == [.passed(request)])
    }
}
