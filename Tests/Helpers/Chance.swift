import Core

/// Numbers that nobody can foresee, as a server has them.
package struct Chance: Randomness {
    package init() {}
    package func next() -> UInt64 { .random(in: .min ... .max) }
}
