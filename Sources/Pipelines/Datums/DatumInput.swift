import Core

/// A leaf of an input tree, ready to be evaluated. A class so that each of millions of files can name the one it came
/// from; nothing in it changes.
package final class DatumInput: Sendable {
    /// Its place among the leaves of the tree, from the left, from 0.
    package let index: Int
    package let leaf: InputLeaf
    package let glob: Glob
    private let joinOn: CaptureTemplate
    private let groupBy: CaptureTemplate

    /// Throws `unknown` where the glob is malformed.
    init(_ leaf: InputLeaf, index: Int) throws(SpileError) {
        self.index = index
        self.leaf = leaf
        do { glob = try Glob(leaf.glob) } catch { throw error.wrapped("input \"\(leaf.name)\"") }
        joinOn = CaptureTemplate(leaf.joinOn)
        groupBy = CaptureTemplate(leaf.groupBy)
    }

    /// What a match of the glob is joined by; a directory's trailing `/` plays no part. Cost: one match of the glob.
    package func joinKey(of path: String) -> String { expand(joinOn, path) }

    /// What a match of the glob is grouped by, likewise.
    package func groupKey(of path: String) -> String { expand(groupBy, path) }

    private func expand(_ template: CaptureTemplate, _ path: String) -> String {
        template.expanded(template.isConstant ? [] : glob.captures(path) ?? [])
    }
}
