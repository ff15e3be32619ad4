import Core

/// Collections of garbage that another server runs over the common store, as seen by one that takes part. The order in
/// which these are called is that of the steps of ``SharedCollection``.
extension Store {
    /// No chunk is given out by its hash until ``leaveCollection()``: it may not be there any more.
    package func suspendKnownChunks() { slots.collection.suspend() }

    package func resumeKnownChunks() { slots.collection.resume() }

    /// From now on it is noted what trees are made.
    package func joinCollection() {
        slots.collection.suspend()
        slots.collection.join()
    }

    /// The roots were listed: returns the generation before which work is to be waited for.
    package func listedElsewhere() -> UInt64 {
        let generation = slots.activities.advance()
        slots.collection.listed(generation: generation)
        return generation
    }

    /// Activities begun before a generation that are still under way.
    package func awaited(before generation: UInt64) -> (writers: Int, readers: Int) {
        slots.activities.alive(before: generation)
    }

    /// Tops of the trees that were noted.
    package var treesMade: [Pointer] { slots.collection.trees }

    /// What is known of segments may not hold any more.
    package func leaveCollection() {
        slots.collection.end()
        slots.forgetDirectories()
        slots.collection.resume()
    }
}
