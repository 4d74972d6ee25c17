import { createVirtualClock } from '../src/index.ts'

test('time stands still until it is moved, and starts at the date given', async () => {
  const clock = createVirtualClock({ startAt: new Date('2030-05-01T00:00:00Z') })
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([Date.UTC(2030, 4, 1), 0])
  await clock.advance(1_500)
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([Date.UTC(2030, 4, 1) + 1_500, 1_500])
})

test('timers run in the order they fall due, each at its own time, those of one instant as they were started', async () => {
  const clock = createVirtualClock()
  const ran: [string, number][] = []
  const start = (name: string, delayMs: number) =>
    clock.startTimer(() => ran.push([name, clock.monotonicMs()]), delayMs)
  start('late', 30)
  start('first', 10)
  start('second', 10)
  start('beyond', 31)
  start('cancelled', 5).cancel()
  await clock.advance(30)
  expect(ran).toEqual([
    ['first', 10],
    ['second', 10],
    ['late', 30],
  ])
})

test('promise work settles between two timers, and timers it starts run within the same move', async () => {
  const clock = createVirtualClock()
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.startTimer(resolve, ms))
  const seen: string[] = []
  const work = async () => {
    for (let round = 1; round <= 3; round += 1) {
      await sleep(10)
      await null
      seen.push(`${round} at ${clock.monotonicMs()}`)
    }
  }
  const working = work()
  clock.startTimer(() => seen.push(`other at ${clock.monotonicMs()}`), 20)
  await clock.advance(30)
  await working
  expect(seen).toEqual(['1 at 10', 'other at 20', '2 at 20', '3 at 30'])
})

test('a timer never fires early, also for a delay that is no whole number', async () => {
  const clock = createVirtualClock()
  let ran = false
  clock.startTimer(() => {
    ran = true
  }, 1.2)
  await clock.advance(1)
  expect(ran).toBe(false)
  await clock.advance(1)
  expect(ran).toBe(true)
})

test('advanceToNext goes to the next timer within its limit, and otherwise moves nothing', async () => {
  const clock = createVirtualClock()
  clock.startTimer(() => {}, 100)
  expect(await clock.advanceToNext(99)).toBe(false)
  expect(clock.monotonicMs()).toBe(0)
  expect(await clock.advanceToNext()).toBe(true)
  expect(clock.monotonicMs()).toBe(100)
  expect(await clock.advanceToNext()).toBe(false)
})

test('two moves at once follow each other', async () => {
  const clock = createVirtualClock()
  await Promise.all([clock.advance(10), clock.advance(20)])
  expect(clock.monotonicMs()).toBe(30)
})

test('a timer that throws makes the move reject and leaves the clock usable', async () => {
  const clock = createVirtualClock()
  clock.startTimer(() => {
    throw new Error('bad timer')
  }, 10)
  await expect(clock.advance(20)).rejects.toThrow('bad timer')
  await clock.advance(20)
  expect(clock.monotonicMs()).toBe(30)
})

test('time that goes backwards, a start that is no date and an unknown option are refused', async () => {
  await expect(createVirtualClock().advance(-1)).rejects.toMatchObject({ code: 'EVT_OPTION_INVALID' })
  expect(() => createVirtualClock({ startAt: new Date('never') })).toThrow(/startAt/)
  expect(() => createVirtualClock({ start: 1 } as never)).toThrow(/startAt/)
})
