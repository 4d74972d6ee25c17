import type { KafkaRecord } from '../src/client.ts'
import { Progress } from '../src/progress.ts'
import { decodeProgress, encodeProgress, maxMetadataBytes } from '../src/progress-metadata.ts'
import { range } from './raw.ts'

const record = (offset: number): KafkaRecord => ({
  offset,
  timestampMs: 0,
  key: null,
  value: new Uint8Array(1),
  headers: [],
  bytes: 1,
})
const added = (progress: Progress, offsets: readonly number[]) =>
  progress.add({ records: offsets.map(record), next: offsets.at(-1)! + 1, end: offsets.at(-1)! + 1 }, () => 1)

describe('the progress of a partition', () => {
  test('the offset committed is that of the oldest message that is not done, over gaps in the offsets', () => {
    const progress = new Progress(0, { offset: 10, metadata: '' })
    const items = added(progress, [10, 11, 15, 20])
    for (const item of items) progress.hand(item)
    progress.done(items[0]!)
    progress.done(items[2]!)
    expect(progress.snapshot(true).offset).toBe(11)
    progress.done(items[1]!)
    expect(progress.snapshot(true).offset).toBe(20)
    progress.done(items[3]!)
    expect(progress.snapshot(true)).toMatchObject({ offset: 21, metadata: '' })
  })

  test('the next owner skips what is done, and suspects only what was held', () => {
    const progress = new Progress(0, { offset: 0, metadata: '' })
    const items = added(progress, range(300))
    for (const item of items.slice(0, 10)) progress.hand(item)
    for (const index of [1, 2, 5]) progress.done(items[index]!)
    progress.release(items[3]!, 7)
    const again = added(new Progress(0, progress.snapshot(true)), range(300))
    expect(again.filter(({ suspect }) => suspect).map((item) => item.offset)).toEqual([0, 4, 6, 7, 8, 9])
    expect(again.find((item) => item.offset === 3)).toMatchObject({ attempt: 7, suspect: false })
    expect(again).toHaveLength(297)
  })

  test('what is done stays done over any number of owners that settle nothing', () => {
    let place = { offset: 0, metadata: '' }
    const first = new Progress(0, place)
    const items = added(first, range(50))
    for (const item of items) first.hand(item)
    for (const item of items.slice(10, 40)) first.done(item)
    place = first.snapshot(false)
    for (const fetched of [[0, 1], range(20), range(50)]) {
      const next = new Progress(0, place)
      added(next, fetched)
      place = next.snapshot(true)
    }
    const last = added(new Progress(0, place), range(60))
    expect(last.map((item) => item.offset)).toEqual([...range(10), ...range(20).map((n) => n + 40)])
  })

  test('a start that is recorded counts as an attempt for the next owner, and a hand-over as a delivery', () => {
    const first = new Progress(0, { offset: 0, metadata: '' })
    const [item] = added(first, [0])
    first.hand(item!)
    first.start(item!)
    const second = new Progress(0, first.snapshot(false))
    const [again] = added(second, [0])
    second.hand(again!)
    expect(again).toMatchObject({ attempt: 2, suspect: true, deliveries: 2 })
    const [third] = added(new Progress(0, second.snapshot(false)), [0])
    expect(third).toMatchObject({ attempt: 2, suspect: true })
  })

  test('what is done keeps its place alone, however long the message before it takes', () => {
    const progress = new Progress(0, { offset: 0, metadata: '' })
    const items = added(progress, range(1_000))
    for (const item of items) progress.hand(item)
    for (const item of items.slice(1)) progress.done(item)
    expect(items.filter(({ record: { value } }) => value !== null)).toEqual([items[0]])
    expect(progress.snapshot(false).offset).toBe(0)
    const again = new Progress(0, progress.snapshot(false))
    expect(added(again, range(1_000))).toHaveLength(1)
  })

  test('fetching stops before the commit outgrows its metadata', () => {
    const progress = new Progress(0, { offset: 0, metadata: '' })
    const items = added(progress, range(11_999))
    expect(progress.hasRoom).toBe(true)
    for (const item of items) progress.hand(item)
    for (const item of items.slice(1)) progress.done(item)
    const { metadata } = progress.snapshot(false)
    expect(metadata.length).toBeLessThanOrEqual(maxMetadataBytes)
    expect(decodeProgress(metadata).done.size).toBe(11_998)
    added(progress, [12_000])
    expect(progress.hasRoom).toBe(false)
    progress.done(items[0]!)
    expect(progress.hasRoom).toBe(true)
  })
})

describe('messages that are declared started in advance', () => {
  test('are those that are on the server, so that reads do not wait for commits, and none that nobody has published', () => {
    const progress = new Progress(0, { offset: 0, metadata: '' })
    const items = progress.add({ records: range(100).map(record), next: 100, end: 2_000 }, () => 1)
    progress.room = 300
    expect(items.slice(0, 10).map((item) => progress.hand(item))).toEqual(range(10).map(() => true))
    progress.committed(progress.snapshot(false))
    expect(items.slice(10).some((item) => progress.hand(item))).toBe(false)
    const more = progress.add({ records: range(700).map((n) => record(100 + n)), next: 800, end: 800 }, () => 1)
    expect(more.filter((item) => !progress.hand(item)).map(({ offset }) => offset)).toEqual(
      range(510).map((n) => 100 + n),
    )
    expect(progress.snapshot(false).startedUpTo).toBe(800)
  })
})

describe('the metadata of a commit', () => {
  test('more than it holds is left out from its end and never exceeds the limit', () => {
    const done = new Set(range(40_000))
    const marked = new Map(range(2_000).map((n) => [n, { attempt: n + 2, started: false, clean: true }]))
    const text = encodeProgress({ startedUpTo: 50_000, redeliveries: 3, done, marked })
    expect(text.length).toBeLessThanOrEqual(maxMetadataBytes)
    const read = decodeProgress(text)
    expect(read.startedUpTo).toBe(50_000)
    expect([...read.done].every((offset) => done.has(offset))).toBe(true)
  })

  test('what others have written there is as good as nothing', () => {
    for (const text of ['', 'x', 'e1', 'e1;;;;', 'e1;-5;zz;!!!;a.b.c,1.0,..', '{"a":1}', 'e1;zzzzzzzzzzzzzzzz;1;;']) {
      const read = decodeProgress(text)
      expect(read.startedUpTo).toBeGreaterThanOrEqual(0)
      expect([...read.marked.values()].every(({ attempt }) => attempt >= 1)).toBe(true)
    }
  })
})
