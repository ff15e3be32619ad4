/// The small relational truth: projects, repos, branches, commits, pipelines, launches.
///
/// A catalog keeps rows and their uniqueness; the rules between them are kept by `Versioning` and `Pipelines`. All
/// calls block: they are made on threads that may. Errors are ``SpileError``s; a transient one
/// (``SpileError/isTransient``) may be retried by running the whole transaction again.
package protocol Catalog: Sendable {
    /// Runs `body` on one consistent snapshot. Any number of reads run side by side, also beside a write.
    func read<Result>(_ body: (any CatalogReader) throws -> Result) throws -> Result

    /// Runs `body` in one transaction that is durable when this returns, and leaves no trace when it throws.
    /// Writes queue: one at a time.
    func write<Result>(_ body: (any CatalogWriter) throws -> Result) throws -> Result

    /// Writes a consistent copy of everything to a new file at `path`, beside reads and writes that go on. The copy is
    /// durable on return. Throws `alreadyExists` if there is a file.
    func copy(to path: String) throws

    /// Other servers that use this catalog at the same time; nil where it is this one's alone.
    var peers: (any Peers)? { get }

    /// What is kept of objects that the store does not have yet (``SegmentTails``): their sizes by name. May be called
    /// inside of a transaction, and does not see what that has changed.
    func tails() throws -> [String: Int]
    /// The bytes of such an object from `offset` on; empty where there are none.
    func tail(_ name: String, from offset: Int) throws -> [UInt8]

    /// Closes all connections; the catalog is of no use afterwards.
    func close() throws
}

extension Catalog {
    package var peers: (any Peers)? { nil }
}

/// In which order rows of commits come.
package enum CommitOrder: Sendable {
    case newestFirst
    case oldestFirst
}

/// Look-ups inside a transaction. Not `Sendable`: valid only until the body that got it returns.
package protocol CatalogReader {
    /// A server-wide setting, or nil.
    func setting(_ name: String) throws -> String?

    func projects() throws -> [ProjectRecord]
    func project(_ key: ProjectKey) throws -> ProjectRecord?

    /// Repos by project and name; nil stands for all.
    func repos(in projects: [ProjectKey]?, type: RepoType?) throws -> [RepoRecord]
    func repo(_ key: RepoKey) throws -> RepoRecord?
    func repo(id: Int64) throws -> RepoRecord?

    /// Branches of a repo (nil: of all), oldest first.
    func branches(repo: Int64?) throws -> [BranchRecord]
    func branch(repo: Int64, name: String) throws -> BranchRecord?
    func branch(id: Int64) throws -> BranchRecord?
    /// Ids of the branches whose direct provenance holds `id`.
    func directSubvenance(branch id: Int64) throws -> [Int64]
    /// The branches of a repo (nil: of all) that have a trigger, oldest first.
    func triggeredBranches(repo: Int64?) throws -> [BranchRecord]

    func commit(sequence: Int64) throws -> CommitRecord?
    func commit(repo: Int64, id: CommitID) throws -> CommitRecord?
    /// At most `limit` commits of a repo (nil: of all) beyond `cursor` in the order given.
    func commits(repo: Int64?, order: CommitOrder, beyond cursor: Int64?, limit: Int) throws -> [CommitRecord]
    /// The commits that carry a set id, oldest first.
    func commits(set id: CommitID) throws -> [CommitRecord]
    /// At most `limit` set ids, newest first, beyond the sequence number `cursor`, each with the highest sequence
    /// number of its commits.
    func commitSets(beyond cursor: Int64?, limit: Int) throws -> [(id: CommitID, sequence: Int64)]
    /// The name of a commit, or nil.
    func name(of sequence: Int64) throws -> CommitName?
    /// Commits whose parent this is, oldest first.
    func children(of sequence: Int64, limit: Int) throws -> [CommitName]
    /// Sequence numbers of all commits whose parent this is, oldest first.
    func childSequences(of sequence: Int64) throws -> [Int64]
    /// Sequence numbers of all commits whose direct provenance holds this one, oldest first.
    func subvenanceSequences(of sequence: Int64) throws -> [Int64]
    /// Commits whose direct provenance holds this one: the newest `limit` of them, newest first.
    func directSubvenance(commit sequence: Int64, limit: Int) throws -> [CommitName]
    /// Sequence numbers of the commits whose direct provenance holds this one: at most `limit`, oldest first, those
    /// beyond `cursor`.
    func derived(from sequence: Int64, beyond cursor: Int64?, limit: Int) throws -> [Int64]
    /// The highest sequence number given out, 0 if none.
    func lastSequence() throws -> Int64
    /// How many commits there are.
    func commitCount() throws -> Int64
    /// Every root that a commit names (its files' and, while it has one, its layer's), for marking and checking; `body`
    /// gets them oldest first.
    func forEachRoot(_ body: (_ sequence: Int64, _ root: Root) throws -> Void) throws

    /// Open transactions, newest first.
    func transactions() throws -> [TransactionRecord]
    func transaction(_ id: CommitID) throws -> TransactionRecord?

    /// The versions in force, by project and name; nil stands for all projects.
    func pipelines(in projects: [ProjectKey]?) throws -> [PipelineRecord]
    /// The version in force.
    func pipeline(_ key: PipelineKey) throws -> PipelineRecord?
    func pipeline(_ key: PipelineKey, version: Int64) throws -> PipelineRecord?
    /// Those that are of this kind now and have jobs that are not over, by project and name.
    func busyPipelines(of kind: PipelineKind) throws -> [PipelineKey]
    /// All versions, newest first.
    func pipelineVersions(_ key: PipelineKey) throws -> [PipelineRecord]
    func launch(_ key: PipelineKey) throws -> LaunchRecord?
    func launches() throws -> [LaunchRecord]
    func launch(tokenHash: Digest) throws -> LaunchRecord?

    func job(_ key: JobKey) throws -> JobRecord?
    /// At most `limit` jobs beyond the number `cursor`, in the order given.
    func jobs(_ filter: JobFilter, order: CommitOrder, beyond cursor: Int64?, limit: Int) throws -> [JobRecord]

    /// A file set, also one whose lease is over but whose row is still there: the caller looks at the clock.
    func fileSet(_ id: FileSetID) throws -> FileSetRecord?
    /// File sets that have a row, in the order of their ids, from the first behind `cursor` on.
    func fileSets(beyond cursor: FileSetID?, limit: Int) throws -> [FileSetRecord]
    func cacheEntry(_ key: String) throws -> CacheRecord?

    /// What is known of a key on a branch.
    func idempotencyRecord(branch: Int64, operation: KeyedOperation, key: String) throws -> IdempotencyRecord?
    func hasIdempotencyRecords(branch: Int64) throws -> Bool
    /// By name.
    func secrets() throws -> [SecretRecord]
    func secret(_ name: String) throws -> SecretRecord?

    /// A token, also one that has expired: the caller looks at the clock.
    func token(hash: Digest) throws -> TokenRecord?
    /// All tokens, by subject.
    func tokens() throws -> [TokenRecord]
    /// Nil where none exists; one without entries is another thing.
    func roleBinding(_ resource: AccessResource) throws -> RoleBinding?
    /// The roles that some subjects have at a resource, together; nil where no binding exists.
    func roles(at resource: AccessResource, of subjects: [Subject]) throws -> Set<Role>?
    /// The groups that a subject is in, by name.
    func memberships(of member: Subject) throws -> [MembershipRecord]
    /// Who is in a group (nil: in any), by name.
    func memberships(in group: Subject?) throws -> [MembershipRecord]
}

/// Changes inside a transaction. A method that names a row that is not there changes nothing unless it says otherwise.
package protocol CatalogWriter: CatalogReader {
    /// Runs `body` so that its changes vanish if it throws, while the transaction around it goes on.
    func savepoint<Result>(_ body: () throws -> Result) throws -> Result

    func setSetting(_ name: String, to value: String?) throws

    /// Inserts and returns the new id. A second project of the name throws `alreadyExists`.
    func insert(_ project: ProjectRecord) throws -> Int64
    func update(_ project: ProjectRecord) throws
    func deleteProject(id: Int64) throws

    func insert(_ repo: RepoRecord) throws -> Int64
    func update(_ repo: RepoRecord) throws
    /// Deletes the repo with its branches, commits and all edges to and from them.
    func deleteRepo(id: Int64) throws

    func insert(_ branch: BranchRecord) throws -> Int64
    /// Writes all fields, the provenance edges and the trigger too.
    func update(_ branch: BranchRecord) throws
    /// Moves the head alone: the cheap path of every commit.
    func setHead(branch id: Int64, to sequence: Int64, at instant: Instant) throws
    /// Deletes the branch and its edges; its commits stay and forget which branch they were made on.
    func deleteBranch(id: Int64) throws

    /// Inserts with a new sequence number, which it returns. A second commit of the same repo and id throws
    /// `alreadyExists`.
    func insert(_ commit: CommitRecord) throws -> Int64
    /// Writes all fields except the key and the edges.
    func update(_ commit: CommitRecord) throws
    /// Replaces the edges to what a commit derives from.
    func setProvenance(commit sequence: Int64, to upstream: [Int64]) throws
    /// Deletes the row and all edges; commits that had it as parent have none then.
    func deleteCommit(sequence: Int64) throws

    /// Inserts a transaction, or replaces the one of the same id.
    func put(_ transaction: TransactionRecord) throws
    func deleteTransaction(_ id: CommitID) throws
    func deleteTransactions() throws

    /// Inserts a version, or replaces the one of the same number.
    func put(_ pipeline: PipelineRecord) throws
    /// Deletes all versions, the launch and the jobs.
    func deletePipeline(_ key: PipelineKey) throws
    func put(_ launch: LaunchRecord) throws
    func deleteLaunch(_ key: PipelineKey) throws
    /// Inserts with a new number, which it returns. A second job of the key throws `alreadyExists`.
    func insert(_ job: JobRecord) throws -> Int64
    /// Writes state, reason, instants and counts.
    func update(_ job: JobRecord) throws
    func deleteJob(_ key: JobKey) throws

    /// Inserts; a second one of the id throws `alreadyExists`.
    func insert(_ fileSet: FileSetRecord) throws
    /// Writes both ends of a file set's lease; the other fields never change.
    func setLease(fileSet id: FileSetID, expiresAt: Instant, pinnedUntil: Instant) throws
    /// Removes at most `limit` file sets that nothing keeps at `now`, the longest expired first; returns how many.
    func removeExpiredFileSets(at now: Instant, limit: Int) throws -> Int
    /// Inserts unless there is an entry of the key, and says whether it did. A file set that has no row throws.
    func insert(_ entry: CacheRecord) throws -> Bool
    func setUsed(cacheEntry key: String, at now: Instant) throws
    /// Deletes the entries whose tag begins with `prefix`, byte by byte; empty: all. File sets they held expire again.
    func deleteCacheEntries(tagPrefix prefix: String) throws
    /// Deletes the entries that were not used for longest until there are at most `count`.
    func trimCache(to count: Int) throws

    /// Inserts, or replaces the one of the same branch, operation and key; returns its number: one more than the
    /// highest of the branch. A branch that has no row throws. Deleting the branch deletes it.
    func put(_ record: IdempotencyRecord) throws -> Int64
    /// Looks at the `limit` records of a branch with the lowest numbers up to `number`, and deletes those that are
    /// older than `instant` or have a number up to `floor`.
    func trimIdempotencyRecords(
        branch: Int64, upTo number: Int64, olderThan instant: Instant, orUpTo floor: Int64, limit: Int) throws
    /// Deletes what is known of writes to one commit.
    func deleteIdempotencyRecords(branch: Int64, commit sequence: Int64) throws
    /// Deletes what is known of commits made after one, of all operations.
    func deleteIdempotencyRecords(branch: Int64, after sequence: Int64) throws
    /// Inserts with all values; a second one of the name throws `alreadyExists`.
    func insert(_ secret: SecretRecord) throws
    /// Deletes a secret with its values, and says whether there was one.
    func deleteSecret(_ name: String) throws -> Bool

    /// Inserts, or replaces the one of the same hash.
    func put(_ token: TokenRecord) throws
    /// Deletes a token, and says whether there was one.
    func deleteToken(hash: Digest) throws -> Bool
    /// Deletes the tokens of a subject; returns how many there were.
    func deleteTokens(of subject: Subject) throws -> Int
    /// Deletes the tokens that have expired by `instant`; returns how many there were.
    func deleteTokens(expiredBy instant: Instant) throws -> Int
    /// Replaces who has which roles at a resource; nil takes the binding away.
    func setRoleBinding(_ resource: AccessResource, to binding: RoleBinding?) throws
    /// Inserts, or replaces the one of the same member and group.
    func put(_ membership: MembershipRecord) throws
    func deleteMembership(of member: Subject, in group: Subject) throws
    /// Deletes all tokens, role bindings and memberships.
    func deleteAccess() throws

    /// Keeps bytes of an object that the store does not have yet: those that follow on what is kept of it.
    func append(_ bytes: [UInt8], toTail name: String, at offset: Int) throws
    /// Deletes what is kept of an object.
    func deleteTail(_ name: String) throws

    /// What other servers have changed since this one's last transaction that was durable.
    func changesElsewhere() throws -> CatalogChanges
    /// Tells other servers, once this transaction is durable.
    func announce(_ changes: Set<Int64>) throws
}
