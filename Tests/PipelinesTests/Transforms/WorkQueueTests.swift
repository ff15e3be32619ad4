import Testing

@testable import Pipelines

@Suite(.timeLimit(.minutes(1))) struct WorkQueueTests {
    @Test func whatIsPutInComesOutInOrderAndThenTheEnd() async {
        let queue = WorkQueue<Int>(limit: 2)
        await withDiscardingTaskGroup { group in
            group.addTask {
                for number in 0..<100 { #expect(await queue.put(number)) }
                await queue.close()
            }
            var taken: [Int] = []
            while let number = await queue.take() { taken.append(number) }
            #expect(taken == Array(0..<100))
        }
        #expect(await queue.take() == nil)
    }

    @Test func closingEndsAllWhoWait() async {
        let empty = WorkQueue<Int>(limit: 1)
        let full = WorkQueue<Int>(limit: 1)
        #expect(await full.put(0))
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { await empty.take() == nil }
                group.addTask { await !full.put(1) }
            }
            await empty.close()
            await full.close(dropping: true)
            for await isTold in group { #expect(isTold) }
        }
        #expect(await full.take() == nil, "what waited was dropped")
        #expect(await !full.put(2))
    }

    @Test func closingWithoutDroppingLetsWhatWaitsBeDone() async {
        let queue = WorkQueue<Int>(limit: 2)
        #expect(await queue.put(1))
        await queue.close()
        #expect(await !queue.put(2))
        #expect(await queue.take() == 1)
        #expect(await queue.take() == nil)
    }

    @Test func manyTakersAndGiversLoseNothing() async {
        let queue = WorkQueue<Int>(limit: 3)
        let sum = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<7 {
                group.addTask {
                    var sum = 0
                    while let number = await queue.take() { sum += number }
                    return sum
                }
            }
            await withDiscardingTaskGroup { givers in
                for giver in 0..<5 {
                    givers.addTask { for number in 0..<200 { _ = await queue.put(giver * 200 + number) } }
                }
            }
            await queue.close()
            return await group.reduce(0, +)
        }
        #expect(sum == 1000 * 999 / 2)
    }
}
