/// How much to measure. The default keeps a whole run within a quarter of an hour on a small machine.
struct Plan: Sendable {
    /// Samples of each figure.
    var runs = 5
    /// Length of a window that counts events per second, in seconds.
    var window = 1.0
    /// Files of 1 KiB in one stream.
    var files = 100_000
    /// Files of the large tree, and of the small one it is compared with.
    var largeTree = 1_000_000
    var smallTree = 1_000
    /// Files in one directory of those trees.
    var directory = 1_000
    /// Commits of the long history, and of the short one it is compared with.
    var longHistory = 100_000
    var shortHistory = 1_000
    /// Commits in one sample of a comparison.
    var comparedCommits = 200
    /// Bytes of the large incompressible file.
    var largeFile = 1 << 30
    /// Bytes of the file that is appended to.
    var appended: UInt64 = 1 << 30
    /// Longest wait for a quiet machine, in seconds: before one window, and in all.
    var quietWait = 60.0
    var quietAllowance = 240.0

    static let standard = Plan()

    /// The sizes the budgets name, where the default stays below them to save time and disk.
    static let full: Plan = {
        var plan = Plan()
        plan.appended = 10_000_000_000
        return plan
    }()

    /// A smoke test: shows that everything runs; its figures mean nothing.
    static let quick: Plan = {
        var plan = Plan()
        plan.runs = 1
        plan.window = 0.1
        plan.files = 2_000
        plan.largeTree = 10_000
        plan.longHistory = 2_000
        plan.shortHistory = 100
        plan.comparedCommits = 20
        plan.largeFile = 32 << 20
        plan.appended = 32 << 20
        plan.quietWait = 0
        plan.quietAllowance = 0
        return plan
    }()
}
