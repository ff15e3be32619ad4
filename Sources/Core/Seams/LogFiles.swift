/// Where logs are kept: files of bytes in folders, appended to and read by offset. Calls block shortly; any thread may
/// make them, one writer per folder at a time.
package protocol LogFiles: Sendable {
    /// The files of a folder by name, in name order, each with its size in bytes; none if there is no such folder.
    func list(_ folder: String) throws -> [(name: String, size: Int)]

    /// Appends all of `bytes`, making folder and file as needed. A throw may leave any prefix of `bytes` behind.
    func append(_ bytes: [UInt8], to file: String, in folder: String) throws

    /// At most `limit` bytes from `offset`; empty at the end of the file, and for a file that is gone.
    func read(_ file: String, in folder: String, from offset: Int, limit: Int) throws -> [UInt8]

    func remove(_ file: String, in folder: String) throws

    /// Removes a folder with all its files; no error if it is gone.
    func removeFolder(_ folder: String) throws
}
