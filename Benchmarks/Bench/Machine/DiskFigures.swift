import Foundation

/// What files take on their disk.
enum DiskFigures {
    /// Megabytes of the disk that the files in a folder take. Hidden ones are not counted: files that a store keeps
    /// ready for later hold no data yet.
    static func megabytes(in folder: String) throws -> Double {
        var blocks = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where !name.hasPrefix(".") {
            var status = stat()
            // One that has just gone takes nothing.
            if stat("\(folder)/\(name)", &status) == 0 { blocks += Int(status.st_blocks) }
        }
        return Double(blocks) * 512 / 1e6
    }
}
