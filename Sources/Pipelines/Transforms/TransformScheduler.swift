import Core
import Versioning

/// Has a runner for each transform there is. Told of each change of a pipeline; what a runner does is decided by what
/// the catalog says, so nothing depends on an earlier server.
package final class TransformScheduler: Sendable {
    private let context: TransformContext
    private let changes: AsyncStream<Event>
    private let inbox: AsyncStream<Event>.Continuation

    private enum Event: Sendable {
        case changed(PipelineKey)
        /// A runner has ended by itself.
        case ended(PipelineKey)
        case shutDown
    }

    package init(_ context: TransformContext) {
        self.context = context
        (changes, inbox) = AsyncStream.makeStream()
    }

    /// Tells that the catalog's rows of a pipeline changed, or that it is gone. Any thread may call, at any time.
    package func changed(_ key: PipelineKey) {
        inbox.yield(.changed(key))
        context.history.events.publish(repos: [EventHub.jobs])
    }

    /// Ends all code at once; what jobs had done is done again by the next server. Any thread may call.
    package func shutDown() { inbox.yield(.shutDown) }

    /// Runs until ``shutDown()`` or the task is cancelled. To be called once, when the server listens at `site` and
    /// nothing of an earlier server runs any more.
    package func run(at site: LaunchSite) async {
        do { try context.removeLeftovers() } catch {
            context.logger.error("cannot remove what an earlier server laid out", metadata: ["error": "\(error)"])
        }
        do { for key in try context.history.read({ try $0.pipelines(in: nil).map(\.key) }) { changed(key) } } catch {
            context.logger.error("cannot begin to run transforms", metadata: ["error": "\(error)"])
        }
        await withDiscardingTaskGroup { group in
            var running: Set<PipelineKey> = []
            for await event in changes {
                switch event {
                case .shutDown: return group.cancelAll()
                case .ended(let key):
                    running.remove(key)
                    start(key, &running, at: site, in: &group)
                case .changed(let key): start(key, &running, at: site, in: &group)
                }
            }
            group.cancelAll()
        }
    }

    private func start(
        _ key: PipelineKey, _ running: inout Set<PipelineKey>, at site: LaunchSite, in group: inout DiscardingTaskGroup
    ) {
        // When the server shuts down runners end by themselves.
        guard !running.contains(key), !context.history.events.hasClosed,
            (try? context.history.read { try $0.pipeline(key) })??.kind == .transform
        else { return }
        running.insert(key)
        let runner = TransformRunner(context: context, site: site, key: key)
        let inbox = inbox
        group.addTask {
            await runner.run()
            inbox.yield(.ended(key))
        }
    }
}
