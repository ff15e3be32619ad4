import Storage

/// Cuts files as the store of any history does.
package typealias FileCutter = Storage.FileCutter

/// Reads a file's bytes from the store of its history.
package typealias ContentReader = Storage.ContentReader
