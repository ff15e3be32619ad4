import Core

extension SlotStore.Sealed {
    /// Opens a sealed segment and reads its directory. Throws `notFound` if there is none, `dataLoss` if its directory
    /// or its footer is damaged, `failedPrecondition` for one of a newer format.
    convenience init(_ id: UInt64, in objects: any ObjectStore) throws {
        let reader = try objects.open(SegmentFormat.name(id, sealed: true))
        let footerSize = SegmentFormat.footerSize
        guard reader.size >= footerSize + SegmentFormat.headerSize else {
            throw SegmentFormat.damaged(id, "it is too short")
        }
        let bytes = try [UInt8](reading: footerSize) { try reader.readFully(into: $0, at: reader.size - footerSize) }
        let footer = try bytes.withUnsafeBytes { try SegmentFormat.readFooter($0, id: id) }
        let length = footer.count * SegmentFormat.recordSize
        guard footer.directoryOffset + length + footerSize == reader.size else {
            throw SegmentFormat.damaged(id, "its directory does not end where it should")
        }
        let directory = try [UInt8](reading: length) { try reader.readFully(into: $0, at: footer.directoryOffset) }
        let records = try directory.withUnsafeBytes { try SegmentFormat.readDirectory($0, footer: footer, id: id) }
        self.init(reader: reader, records: records)
    }
}
