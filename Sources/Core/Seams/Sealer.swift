/// Encrypts small values for storage, each tied to its place. Any thread may call; calls may read a file.
package protocol Sealer: Sendable {
    /// `plain`, encrypted so that only ``open(_:binding:)`` with the same binding gives it back.
    ///
    /// `mayMakeKey`: whether a missing key may be made, which is right only while nothing is sealed yet; otherwise
    /// throws `failedPrecondition`.
    func seal(_ plain: [UInt8], binding: [UInt8], mayMakeKey: Bool) throws -> [UInt8]

    /// Throws `failedPrecondition` where the key is missing, `dataLoss` where `sealed` was not sealed by this key and
    /// for this binding, or was changed since. A retry does not help.
    func open(_ sealed: [UInt8], binding: [UInt8]) throws -> [UInt8]
}

/// Where the one key of a data folder lies.
package protocol KeyFile: Sendable {
    /// For people to find it.
    var path: String { get }
    /// The key; nil where there is none. Throws for a file that is no key, or that everybody may read.
    func read() throws -> [UInt8]?
    /// Makes the file, durable on return, and returns the key that it holds: another one where somebody was first.
    func make(_ key: [UInt8]) throws -> [UInt8]
}
